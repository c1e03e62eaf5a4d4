"""Which sign-in stands behind a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from .. import engine

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEFORE: Final = pd.Timedelta(hours=24)  # a token lives an hour or a day; older sign-ins say little
_SAID: Final = ["event_id", "time", "caller_ip", "outcome", "app_name", "auth_requirement", "risk", "country"]


def signed_in(events: Any, signins: pd.DataFrame) -> pd.DataFrame:
    """Which sign-in each principal's calls belong to, and how sure that is.

    Parameters
    ----------
    events
        Columns ``t``, ``time``, ``actor``, ``principal``, ``object_id``, ``caller_ip``, ``token_ip``, ``token_id``.
    signins
        ``case.context("signins")``: columns ``event_id``, ``time``, ``object_id``, ``caller_ip``, ``token_id``, ``outcome``,
        ``app_name``, ``auth_requirement``, ``risk``, ``country``.

    Returns
    -------
    Columns ``actor``, ``principal``, ``object_id``, ``caller_ip``, ``token_ip``, ``token_id``, ``first_time``, ``last_time``
    (UTC), ``events``; ``confidence``: ``high`` (the sign-in gave this very token), ``medium`` (the newest sign-in of the
    same object id from the address of the call or of the token, at most 24 hours before the first of the calls), ``low`` (the
    same from any other address), ``none`` (no such sign-in among those in the case, which may lack kinds of sign-ins);
    then the sign-in: ``signin_event_id``, ``signin_time``, ``signin_ip``, ``signin_outcome``, ``app_name``, ``auth_requirement``,
    ``risk``, ``country``. One row per principal, address and token with an identity, by first time.

    References
    ----------
    https://learn.microsoft.com/entra/identity/authentication/how-to-authentication-track-linkable-identifiers

    Examples
    --------
    >>> from mhsm_forensics import schema
    >>> from mhsm_forensics.analyse._frames import example
    >>> nothing = schema.to_pandas(schema.empty(schema.CONTEXT["signins"]))
    >>> signed_in(example(), nothing)[["principal", "events", "confidence"]]
      principal  events confidence
    0  payments       2       none
    1      anna       1       none
    """
    uses = engine.query(events, "uses")
    uses = uses.assign(use=range(len(uses)))
    found = [
        _by_token(uses, signins),
        _newest(uses, signins, ["object_id", "caller_ip"], "medium"),
        _newest(uses.drop(columns="caller_ip").rename(columns={"token_ip": "caller_ip"}), signins,
                ["object_id", "caller_ip"], "medium"),
        _newest(uses, signins, ["object_id"], "low"),
    ]  # fmt: skip
    best = pd.concat(found, ignore_index=True).drop_duplicates("use")
    answer = uses.merge(best, how="left", on="use").drop(columns="use")
    return answer.assign(confidence=answer["confidence"].fillna("none"))


def _by_token(uses: pd.DataFrame, signins: pd.DataFrame) -> pd.DataFrame:
    given = _renamed(signins.dropna(subset="token_id").drop_duplicates("token_id"), ["token_id"])
    return _told(uses[["use", "token_id"]].dropna().merge(given, on="token_id"), "high")


def _newest(uses: pd.DataFrame, signins: pd.DataFrame, by: list[str], confidence: str) -> pd.DataFrame:
    """The newest sign-in up to the last of the calls that fits, unless it is long before the first."""
    asked = uses[["use", "first_time", "last_time", *by]].dropna(subset=by).sort_values("last_time", kind="stable")
    given = _renamed(signins.dropna(subset=by).sort_values("time", kind="stable"), by)
    near = pd.merge_asof(asked, given, left_on="last_time", right_on="signin_time", by=by)
    return _told(near[near["signin_time"] >= near["first_time"] - _BEFORE], confidence)


def _renamed(signins: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    names = {"event_id": "signin_event_id", "time": "signin_time", "outcome": "signin_outcome"}
    own = signins[list(dict.fromkeys([*keys, *_SAID]))].assign(signin_ip=signins["caller_ip"])
    return own.drop(columns=[] if "caller_ip" in keys else ["caller_ip"]).rename(columns=names)


def _told(found: pd.DataFrame, confidence: str) -> pd.DataFrame:
    names = [
        "signin_event_id",
        "signin_time",
        "signin_ip",
        "signin_outcome",
        "app_name",
        "auth_requirement",
        "risk",
        "country",
    ]
    sure = pd.Series(confidence, found.index, "string[pyarrow]")
    return pd.DataFrame({"use": found["use"], "confidence": sure}).join(found[names])
