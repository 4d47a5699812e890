#!/usr/bin/env bash
# Asks PyPI's or OSV's, and npm's, advisories about everything that is locked.
# usage: audit.sh FOLDER_OF_PIP_AUDIT FOLDER_OF_NPM. Exit codes: 0 nothing is known, 1 something is, 69 nobody answered.
set -euo pipefail
cd "$(dirname "$0")/.."
audit=$1/pip-audit
export PATH="$(realpath "$2"):$PATH"
code=0

not_audited() {
    echo "NOT AUDITED: $1" >&2
    [ $code != 0 ] || code=69
}
ask() {
    "$audit" --strict --progress-spinner off --disable-pip "$@"
}

# A service that knows nothing against this release knows nothing at all: mirrors answer so.
known=$(mktemp)
trap 'rm "$known"' EXIT
echo 'jinja2==2.4.1 --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000' >"$known"
service=
for name in pypi osv; do
    if ask --vulnerability-service $name --requirement "$known" 2>&1 | grep -qE '^jinja2 '; then
        service=$name
        break
    fi
done
if [ -z "$service" ]; then
    not_audited "Python packages: neither PyPI's advisories nor OSV's can be reached from here"
else
    for file in requirements/*.txt layers/*/requirements.txt; do
        echo "$file"
        ask --vulnerability-service $service --requirement "$file" || code=1
    done
fi

report=$(cd functions/console/ui && npm audit 2>&1) && echo "$report" || {
    echo "$report" >&2
    if grep -q 'audit endpoint returned an error\|ENOTFOUND\|ECONNREFUSED' <<<"$report"; then
        not_audited "npm packages: the registry has no advisories"
    else
        code=1
    fi
}
exit $code
