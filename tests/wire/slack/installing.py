"""Installing Limner in a workspace, as an admin does it in a browser."""

from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import aiohttp

from tests.wire.slack.fake_slack import FakeSlack
from tests.wire.slack.workspace import Workspace


async def install(
    slack: FakeSlack, url: str, workspace: Workspace, *, same_browser: bool = True, state: str | None = None
) -> int:
    """Click through the installation at `url`; the status of the last page."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as browser:
        async with browser.get(f"{url}/slack/install") as page:
            html = await page.text()
            cookies = SimpleCookie(page.headers["Set-Cookie"])
        link = next(part.split('"')[0] for part in html.split('href="') if "/oauth/v2/authorize" in part)
        query = parse_qs(urlsplit(link.replace("&amp;", "&")).query)
        assert set(query["scope"][0].split(",")) >= {"commands", "chat:write", "files:write"}
        name, morsel = next(iter(cookies.items()))
        headers = {"Cookie": f"{name}={morsel.value}"} if same_browser else {}
        back = {"code": slack.code_for(workspace), "state": state or query["state"][0]}
        async with browser.get(f"{url}/slack/oauth_redirect", params=back, headers=headers) as page:
            return page.status
