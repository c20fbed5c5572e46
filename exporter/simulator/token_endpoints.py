"""Receives requests for tokens: POSTs of forms to the STS and to the identity providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator import responses
from exporter.simulator.bodies import UnreadableBody, read_form
from exporter.simulator.identity_provider import ClientCredentialsEndpoint, oauth_error
from exporter.simulator.paths import STS_PATH
from exporter.simulator.requests import header
from exporter.simulator.responder import Responder
from exporter.simulator.responses import error_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope

    from exporter.simulator.requests import ServedRequest
    from exporter.simulator.responses import Response
    from exporter.simulator.sts import SecurityTokenService


class TokenEndpoints:
    """The token endpoints of ``sts`` and of the identity ``providers``."""

    def __init__(self, sts: SecurityTokenService, providers: ClientCredentialsEndpoint) -> None:
        self._sts = sts
        self._providers = providers

    async def receive(
        self, path: str, request: ServedRequest, scope: Scope, receive: Receive, *, lifetime: int
    ) -> Responder | Response:
        """Return how to answer a request to ``path``, or an error if it is not a POST of a form.

        ``lifetime``: of the bearer tokens of the STS in seconds.
        """
        render = error_response if path == STS_PATH else oauth_error
        if request.method != "POST":
            return render(responses.POST_ONLY, request.request_id)
        try:
            form = await read_form(scope, receive)
        except UnreadableBody as error:
            kind = responses.INVALID_FORM._replace(status=error.status)
            return render(kind, request.request_id, detail=str(error))
        if path == STS_PATH:
            return self._sts_responder(form, request.request_id, lifetime)
        authorization = header(scope, "authorization")
        return Responder(
            lambda faults: self._providers.respond(form, authorization, faults=faults),
            render=oauth_error,
        )

    def _sts_responder(self, form: Mapping[str, str], request_id: str, lifetime: int) -> Responder:
        pool = self._sts.pool(form)
        return Responder(
            lambda faults: self._sts.respond(form, request_id, faults=faults, lifetime=lifetime),
            client=pool.id if pool else None,
            organization=pool.account.organization if pool else None,
        )
