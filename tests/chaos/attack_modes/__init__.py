"""Every mode of the attack: the actions, the number of simultaneous attackers, and the pause
between two actions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from tests.chaos.attack_modes import accounts, chats, connections, findings, sockets
from tests.chaos.attack_modes.client import Attackers, AttackOrder

__all__ = [
    "FINDINGS",
    "HOLDING_ACTIONS",
    "MIDDLE_FINDINGS",
    "MIXES",
    "MIX_SHARES",
    "MODES",
    "MORE",
    "Action",
    "AttackOrder",
    "Attackers",
]

Action = Callable[[Attackers], Awaitable[object]]
Part = tuple[Action, int, float]

FINDINGS: Mapping[str, list[Part]] = {
    "H1": [(findings.view_nasty_replies, 12, 0.0)],
    "H2": [
        (findings.send_poisoned_handshake, 40, 0.0),
        (findings.request_poisoned_page, 4, 0.05),
    ],
    "H3": [(findings.leave_big_draft, 4, 0.0), (findings.leave_small_draft, 8, 0.0)],
    "H4": [(findings.queue_replies, 20, 0.0)],
    "H5": [(findings.guess_password, 20, 0.0)],
    "H6": [(findings.take_over_account, 1, 1.0)],
    "H7": [(findings.sign_up, 20, 0.0)],
    "H8": [
        (findings.hold_frame, 30, 0.5),
        (findings.hold_frame_signed_in, 20, 0.5),
        (findings.hold_headers, 60, 0.5),
        (findings.send_big_body, 4, 0.2),
        (findings.hold_socket, 100, 0.2),
    ],
}
MIDDLE_FINDINGS: Mapping[str, list[Part]] = {
    "M1": [(accounts.fill_limits, 20, 0.0), (accounts.lock_out, 2, 0.5)],
    "M2": [(accounts.lock_out, 20, 0.0)],
    "M8": [(accounts.sign_in_as_nobody, 10, 0.0), (accounts.request_links, 10, 0.0)],
    "M9": [(chats.send_growing_texts, 12, 0.0)],
    "M10": [(accounts.check_keys, 20, 0.0), (accounts.list_models, 10, 0.0)],
    "M11": [(chats.send_long_messages, 12, 0.0)],
}
"""M3 and M6 need rights or a Redis that attackers don't have here; tests of their own show them."""
MORE: Mapping[str, list[Part]] = {
    "admin": [(accounts.open_admin, 16, 0.0), (accounts.sign_in_to_admin, 4, 0.0)],
    "links": [(accounts.follow_forged_links, 20, 0.0)],
    "visitors": [(accounts.sign_out_and_in, 10, 0.0), (accounts.change_appearance, 10, 0.0)],
    "drafts": [(chats.save_drafts, 16, 0.0), (chats.list_drafts, 8, 0.0)],
    "versions": [(chats.create_versions, 20, 0.0)],
    "stops": [(chats.stop_and_continue, 20, 0.0)],
    "titles": [(chats.rename, 20, 0.0), (chats.pin_and_read, 10, 0.0)],
    "deletions": [(chats.delete_and_restore, 20, 0.0)],
    "deep": [(chats.deepen_conversation, 16, 0.0)],
    "lists": [(chats.page_through_sidebar, 20, 0.0)],
    "tabs": [(chats.open_many_tabs, 30, 0.0), (sockets.open_many_sockets, 150, 0.1)],
    "ids": [(chats.guess_ids, 20, 0.0), (sockets.follow_unknown_streams, 10, 0.0)],
    "frames": [(sockets.send_long_frames, 20, 0.0), (sockets.send_fragments, 10, 0.0)],
    "pings": [(sockets.send_pings, 20, 0.0), (sockets.send_hellos, 20, 0.0)],
    "cursors": [(sockets.read_old_cursors, 20, 0.0)],
    "deaf": [(sockets.follow_and_read_nothing, 20, 0.1)],
    "handshakes": [(sockets.shake_hands_badly, 40, 0.0)],
    "events": [
        (sockets.open_events_and_read_nothing, 100, 0.1),
        (sockets.request_events, 10, 0.0),
    ],
    "slow": [(connections.send_slow_body, 60, 0.1), (connections.read_page_slowly, 60, 0.1)],
    "pipelines": [(connections.pipeline_requests, 20, 0.0)],
    "smuggling": [(connections.smuggle_request, 10, 0.0)],
    "cookies": [(connections.send_giant_cookies, 20, 0.0)],
    "languages": [(connections.vary_language, 20, 0.0), (connections.request_catalogs, 4, 0.0)],
    "files": [
        (connections.request_ranges, 12, 0.0),
        (connections.request_unknown_pages, 8, 0.0),
    ],
    "idle": [(connections.open_idle_connections, 150, 0.1)],
}
"""Modes of other kinds than the findings."""

MODES: Mapping[str, list[Part]] = {**FINDINGS, **MIDDLE_FINDINGS, **MORE}
MIXES: Mapping[str, Mapping[str, list[Part]]] = {
    "mixed": FINDINGS,
    "mixed-more": {**MIDDLE_FINDINGS, **MORE},
}
"""Several modes at once, each with a share of its attackers."""
MIX_SHARES = {"mixed": 3, "mixed-more": 8}
HOLDING_ACTIONS = (findings.hold_headers, findings.hold_socket)
"""In the mix of the findings these keep their number: there are 200 connections in all."""
