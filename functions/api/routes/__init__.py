"""One module per resource. A new one is added to `ROUTERS`."""

from functions.api.routes import (
    algorithms,
    api_keys,
    audit,
    datasets,
    docs,
    endpoints,
    jobs,
    models,
    quality,
    quarantine,
    sources,
    studies,
    system,
    triggers,
    uploads,
    workspaces,
)

ROUTERS = (
    workspaces.router,
    api_keys.router,
    audit.router,
    algorithms.router,
    system.router,
    datasets.router,
    uploads.router,
    sources.router,
    quality.router,
    quarantine.router,
    triggers.router,
    jobs.router,
    studies.router,
    models.router,
    endpoints.router,
    docs.router,
)
