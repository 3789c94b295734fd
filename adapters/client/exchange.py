"""A client of the HTTP API, for the command line, the demo and the examples."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from adapters.client.tokens import TokenSource
from contracts.parties import JsonObject
from contracts.signing import sign

_PAGE_LINES: Final = 200


class ProblemAnswered(Exception):
    """The exchange answered with a problem document."""

    def __init__(self, status: int, problem: JsonObject) -> None:
        super().__init__(problem.get("detail", f"HTTP {status}"))
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        """The last part of the problem's type."""
        return str(self.problem.get("type", "")).rpartition(":")[2]


class ExchangeClient:
    """One registered client of an exchange. Threads may share it.

    only_scopes, only_contracts: ask for tokens that allow these scopes alone, on these contracts alone (RFC 9396).
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        private_key: JsonObject,
        *,
        only_scopes: Sequence[str] = (),
        only_contracts: Sequence[str] = (),
        timeout_seconds: float = 60,
    ) -> None:
        base = url.rstrip("/")
        self._http = _http_client(base, timeout_seconds)
        self._new_tokens = partial(TokenSource, self._http, f"{base}/oauth/token", client_id, private_key)
        self._tokens = self._narrowed(only_scopes, only_contracts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> JsonObject:
        """The JSON object answered. Raises ProblemAnswered, or httpx's errors of transport.

        A changing POST bears an Idempotency-Key, and is repeated once after a lost answer. A submission is not: its
        caller repeats it by its submission id.
        """
        return _json_object(self._answer(method, path, **options))

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        tries = 1
        if method == "POST" and not path.endswith("/submissions"):
            options["headers"] = {"Idempotency-Key": f'"{uuid4()}"', **options.get("headers", {})}
            tries = 2
        response = self._send(tries, method, path, **options)
        if response.is_error:
            raise ProblemAnswered(response.status_code, _json_object(response))
        return response

    def _send(self, tries: int, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, auth=self._tokens, **options)
        except httpx.TransportError:
            if tries == 1:
                raise
        return self._send(tries - 1, method, path, **options)

    def token(self, only_scopes: Sequence[str] = (), only_contracts: Sequence[str] = ()) -> str:
        """An access token of this client, for less if so asked. Raises TokenNotGranted."""
        return (self._narrowed(only_scopes, only_contracts) if only_scopes else self._tokens).token()

    def revoke_token(self, token: str) -> None:
        """Take back an access token of this client (RFC 7009). Raises TokenNotGranted."""
        self._tokens.revoke(token)

    def _narrowed(self, only_scopes: Sequence[str], only_contracts: Sequence[str]) -> TokenSource:
        return self._new_tokens(
            scope=" ".join(only_scopes) or None,
            authorization_details=[
                {"type": "data_sharing_contract", "identifier": contract_id, "actions": [*only_scopes]}
                for contract_id in only_contracts
            ],
        )

    def add_organisation(self, organisation_id: str, name: str, role: str) -> JsonObject:
        return self.request("POST", "/v1/organisations", json={"id": organisation_id, "name": name, "role": role})

    def add_population(self, organisation_id: str, population_id: str, rho: str) -> JsonObject:
        body = {"id": population_id, "rho": rho}
        return self.request("POST", f"/v1/organisations/{organisation_id}/populations", json=body)

    def add_client(self, organisation_id: str, client_id: str, scopes: list[str], public_key: JsonObject) -> JsonObject:
        body = {"id": client_id, "scopes": scopes, "public_keys": [public_key]}
        return self.request("POST", f"/v1/organisations/{organisation_id}/clients", json=body)

    def add_signing_key(self, organisation_id: str, public_key: JsonObject) -> JsonObject:
        body = {"public_key": public_key}
        return self.request("POST", f"/v1/organisations/{organisation_id}/signing-keys", json=body)

    def draft(self, document: JsonObject) -> JsonObject:
        """A first version, or the one that follows those there are."""
        following = document.get("version") != 1 and isinstance(document.get("id"), str)
        path = f"/v1/contracts/{document['id']}/versions" if following else "/v1/contracts"
        return self.request("POST", path, json=document)

    def edit(self, contract_id: str, document: JsonObject) -> JsonObject:
        """Put the document in place of the draft there is at this moment."""
        headers = {"If-Match": self._draft_tag(contract_id)}
        return self.request("PUT", f"/v1/contracts/{contract_id}/draft", json=document, headers=headers)

    def discard(self, contract_id: str) -> None:
        headers = {"If-Match": self._draft_tag(contract_id)}
        self._answer("DELETE", f"/v1/contracts/{contract_id}/draft", headers=headers)

    def _draft_tag(self, contract_id: str) -> str:
        """Of the newest version; where that is no draft the exchange says so when it is to be changed."""
        newest = max(each["version"] for each in self.get_contract(contract_id)["versions"])
        read = self._answer("GET", f"/v1/contracts/{contract_id}", params={"version": newest})
        return str(read.headers.get("ETag", "*"))

    def act_on_contract(self, contract_id: str, what: str, reason: str) -> JsonObject:
        """what: suspension, resumption or termination."""
        return self.request("POST", f"/v1/contracts/{contract_id}/{what}", json={"reason": reason})

    def act_on_population(self, population_id: str, what: str, reason: str) -> JsonObject:
        """what: suspension or resumption of every contract that draws on one's own population."""
        return self.request("POST", f"/v1/populations/{population_id}/{what}", json={"reason": reason})

    def propose(self, contract_id: str) -> JsonObject:
        return self.request("POST", f"/v1/contracts/{contract_id}/proposal")

    def get_contract(self, contract_id: str, version: int | None = None) -> JsonObject:
        """version: by default the one in force, or else the newest."""
        params = {} if version is None else {"version": version}
        return self.request("GET", f"/v1/contracts/{contract_id}", params=params)

    def get_newest_proposed(self, contract_id: str) -> JsonObject | None:
        """The newest version that is no draft: the one to sign, or to amend. None for a mere draft."""
        found = self.get_contract(contract_id)
        newest = max((each["version"] for each in found["versions"] if each["status"] != "draft"), default=None)
        if newest is None:
            return None
        return found if newest == found["version"] else self.get_contract(contract_id, newest)

    def sign(self, contract_id: str, private_key: JsonObject, signer_name: str, signer_title: str) -> JsonObject:
        """Read the proposed document, sign it here, and send the signature only."""
        document = (self.get_newest_proposed(contract_id) or self.get_contract(contract_id))["document"]
        jws = sign(document, private_key, signer_name, signer_title)
        return self.request("POST", f"/v1/contracts/{contract_id}/signatures", json={"jws": jws})

    def submit(
        self,
        contract_id: str,
        feed: str,
        period: str,
        columns: Mapping[str, list[Any]],
        submission_id: str | None = None,
        restatement: int = 0,
    ) -> JsonObject:
        """Post one period as columns; the receipt. Repeat with the same submission id after a lost answer.

        restatement: 0 for the first measurement of the period, then 1, 2, ...
        """
        body = {
            "submission_id": submission_id or str(uuid4()),
            "feed": feed,
            "period": period,
            "restatement": restatement,
            "columns": dict(columns),
        }
        return self.request("POST", f"/v1/contracts/{contract_id}/submissions", json=body)

    def submit_table(
        self,
        contract_id: str,
        feed: str,
        period: str,
        table: bytes,
        media_type: str = "application/vnd.apache.parquet",
        submission_id: str | None = None,
        restatement: int = 0,
        *,
        encoding: str | None = None,
    ) -> JsonObject:
        """Post one period as a table in bytes, CSV, Parquet or an Arrow stream by its media type; the receipt.

        encoding: `gzip` or `zstd`, where the bytes are compressed as a whole.
        """
        asked: dict[str, str | int] = {"submission_id": submission_id or str(uuid4()), "feed": feed, "period": period}
        headers = {"Content-Type": media_type} | ({"Content-Encoding": encoding} if encoding else {})
        return self.request(
            "POST",
            f"/v1/contracts/{contract_id}/submissions",
            params=asked | {"restatement": restatement},
            content=table,
            headers=headers,
        )

    def submit_release(self, contract_id: str, body: JsonObject) -> JsonObject:
        """Post a release measured at source, as `contracts.submissions.measuring.measure` made it; the receipt."""
        return self.request("POST", f"/v1/contracts/{contract_id}/submissions", json=body)

    def ask(self, contract_id: str, statistic: str, **question: str) -> JsonObject:
        """question: by, periods, where, confidence, feed, measures, as_of, explain, receipt, as the API writes them."""
        return self.request("GET", f"/v1/contracts/{contract_id}/statistics/{statistic}", params=question)

    def settlement(self, contract_id: str, purpose: str | None = None) -> JsonObject:
        """The signed settlement statement. purpose: None for the only one granted, or else the contract's own."""
        stated = {} if purpose is None else {"purpose": purpose}
        return self.request("GET", f"/v1/contracts/{contract_id}/settlement", params=stated)

    def list_contracts(self) -> JsonObject:
        """Every version, of all pages; so in the lists below."""
        return self._whole("/v1/contracts", "contracts")

    def list_signing_keys(self) -> JsonObject:
        return self._whole("/v1/signing-keys", "signing_keys")

    def ledger(self, contract_id: str) -> JsonObject:
        return self._whole(f"/v1/contracts/{contract_id}/ledger", "entries")

    def audit(self, contract_id: str | None, *, after: int = 0, limit: int = 100) -> JsonObject:
        """Part of a contract's book, or of one's own where no contract is named."""
        path = "/v1/audit" if contract_id is None else f"/v1/contracts/{contract_id}/audit"
        return self.request("GET", path, params={"after": after, "limit": limit})

    def coverage(self, contract_id: str) -> JsonObject:
        pages = self._pages(f"/v1/contracts/{contract_id}/releases")
        own: dict[str, list[JsonObject]] = {}
        for feed in (feed for page in pages for feed in page["feeds"]):
            own.setdefault(feed["feed"], []).extend(feed["own_releases"])
        feeds = [feed | {"own_releases": own[feed["feed"]]} for feed in pages[-1]["feeds"]]
        return pages[-1] | {"feeds": feeds}

    def _whole(self, path: str, lines: str) -> JsonObject:
        """The last page, whose totals count all that came before it, with the lines of all of them."""
        pages = self._pages(path)
        return pages[-1] | {lines: [line for page in pages for line in page[lines]]}

    def _pages(self, path: str) -> list[JsonObject]:
        pages = [self.request("GET", path, params={"limit": _PAGE_LINES})]
        while following := pages[-1].get("next_cursor"):
            pages.append(self.request("GET", path, params={"limit": _PAGE_LINES, "cursor": following}))
        return pages


def fetch_receipt_keys(url: str, *, timeout_seconds: float = 60) -> JsonObject:
    """The public keys that verify receipts, which need no client. Raises ProblemAnswered, or httpx's errors."""
    with _http_client(url.rstrip("/"), timeout_seconds) as http:
        response = http.get("/.well-known/parley-receipt-keys.json")
    if response.is_error:
        raise ProblemAnswered(response.status_code, _json_object(response))
    return _json_object(response)


def _http_client(base: str, timeout_seconds: float) -> httpx.Client:
    # A proxy of the environment is for what is far; an exchange on this machine is called directly.
    far = urlsplit(base).hostname not in ("127.0.0.1", "::1", "localhost")
    return httpx.Client(base_url=base, timeout=timeout_seconds, trust_env=far)


def _json_object(response: httpx.Response) -> JsonObject:
    try:
        body = response.json()
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"detail": f"The answer (HTTP {response.status_code}) is not JSON."}
