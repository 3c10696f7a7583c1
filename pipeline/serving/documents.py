"""The page at `/`, and one that lists the paths. Both load nothing from outside."""

import base64
import hashlib
import pathlib
import re

import fastapi
from starlette.responses import Response

_HERE = pathlib.Path(__file__).parent


def router(app: fastapi.FastAPI) -> fastapi.APIRouter:
    """Returns the routes `/` and `/docs`, which lists the routes of `app`."""
    routes = fastapi.APIRouter(include_in_schema=False)
    page = (_HERE / "page.html").read_text(encoding="utf-8")

    @routes.get("/")
    async def index() -> Response:
        return _html(page)

    @routes.get("/docs")
    async def docs() -> Response:
        import jinja2  # Imported here because only HTML pages need it.

        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE), autoescape=True
        )
        return _html(environment.get_template("docs.html.j2").render(api=app.openapi()))

    return routes


def _html(text: str) -> Response:
    """Returns a page that may only use its own script and style."""
    sources = {
        tag: " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(m.encode()).digest()).decode()}'"
            for m in re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        )
        or "'none'"
        for tag in ("script", "style")
    }
    policy = (
        f"default-src 'none'; script-src {sources['script']}; "
        f"style-src {sources['style']}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"content-security-policy": policy, "referrer-policy": "no-referrer"}
    return Response(text, media_type="text/html", headers=headers)
