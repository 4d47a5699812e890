"""One module per resource. A new one is added to `ROUTERS`."""

from functions.api.routes import algorithms, api_keys, audit, docs, endpoints, jobs, models, system, workspaces

ROUTERS = (
    workspaces.router,
    api_keys.router,
    audit.router,
    algorithms.router,
    system.router,
    jobs.router,
    models.router,
    endpoints.router,
    docs.router,
)
