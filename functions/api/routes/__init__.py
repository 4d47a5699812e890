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
    queries,
    studies,
    system,
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
    queries.router,
    jobs.router,
    studies.router,
    models.router,
    endpoints.router,
    docs.router,
)
