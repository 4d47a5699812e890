"""MiniStack as it comes, in LocalStack's place: `emulator.py PORT`.

But for one thing: LocalStack's PutEvents takes events of AWS's own sources, and MiniStack's refuses them, as AWS does.
"""

import functools
import os
import sys

os.environ |= {"GATEWAY_PORT": sys.argv.pop(), "BIND_HOST": "127.0.0.1", "SFTP_ENABLED": "0", "LOG_LEVEL": "WARNING"}

from ministack.app import main
from ministack.services import eventbridge

eventbridge._put_events = functools.partial(eventbridge._put_events, allow_aws_source=True)

main()
