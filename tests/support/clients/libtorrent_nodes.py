"""libtorrent sessions steered by lines of JSON: libtorrent_nodes.py OPTIONS-AS-JSON.

Options: `listen` is a list of `listen_interfaces`, one for each session; `settings` goes into every session; `plain`
leaves out the extensions that are plugins of libtorrent, such as PEX.
Each line read is {"id", "do", "node": index of the session, ...}; each answer is {"id", "result"} or {"id", "error"}.
Bytes are hex on the way. It ends when its input does.
"""
import json
import os
import queue
import re
import sys
import threading
import time

import libtorrent as lt

options = json.loads(sys.argv[1])
settings = {
    "alert_mask": lt.alert.category_t.dht_notification
    | lt.alert.category_t.dht_operation_notification
    | lt.alert.category_t.status_notification
    | lt.alert.category_t.peer_notification
    | lt.alert.category_t.error_notification,
    "allow_multiple_connections_per_ip": True,
    "announce_to_all_tiers": True,
    "announce_to_all_trackers": True,
    "dht_block_ratelimit": 1000,
    "dht_bootstrap_nodes": "",
    "dht_enforce_node_id": False,
    "dht_ignore_dark_internet": False,
    "dht_prefer_verified_node_ids": False,
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_upload_rate_limit": 1000000,
    "enable_dht": False,
    "enable_incoming_utp": False,
    "enable_lsd": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_upnp": False,
    "in_enc_policy": int(lt.enc_policy.disabled),
    "out_enc_policy": int(lt.enc_policy.disabled),
    "ssrf_mitigation": False,
    **options.get("settings", {}),
}
flags = 0 if options.get("plain") else int(lt.session_flags_t.add_default_plugins)
sessions = [lt.session({**settings, "listen_interfaces": listen}, flags) for listen in options["listen"]]
torrents = {}
neighbours = {}
found = {}


def digest(text):
    return lt.sha1_hash(bytes.fromhex(text))


def endpoint(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def add_nodes(session, command):
    """Tells a session of DHT nodes."""
    for address in command["addresses"]:
        session.add_dht_node(endpoint(address))


def nodes(session, _):
    """How many nodes each routing table of the session holds."""
    session.post_dht_stats()
    alert = yield lambda alert: isinstance(alert, lt.dht_stats_alert)
    return sum(bucket["num_nodes"] for bucket in alert.routing_table)


def add(session, command):
    """Adds a torrent by file or by magnet link; `downloadLimit` is in bytes per second."""
    if command["torrent"].startswith("magnet:"):
        params = lt.parse_magnet_uri(command["torrent"])
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(command["torrent"])
    params.save_path = command["folder"]
    params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
    if command.get("seed"):
        params.flags |= lt.torrent_flags.seed_mode
    params.download_limit = command.get("downloadLimit", -1)
    if command.get("trackers"):
        params.trackers = command["trackers"]
    torrents[command.get("node", 0)] = session.add_torrent(params)


def connect(_, command):
    """Connects the session's torrent to a peer."""
    torrents[command.get("node", 0)].connect_peer(endpoint(command["address"]))


def status(_, command):
    """What the session's torrent has, who its peers are once they shook hands, and whom local discovery found."""
    torrent = torrents[command.get("node", 0)]
    now = torrent.status()
    sources = [
        ("tracker", lt.peer_info.tracker),
        ("dht", lt.peer_info.dht),
        ("pex", lt.peer_info.pex),
        ("lsd", lt.peer_info.lsd),
    ]
    peers = [
        {
            "address": "{}:{}".format(*peer.ip),
            "client": peer.client.decode(errors="replace"),
            "sources": [name for name, bit in sources if peer.source & bit],
        }
        for peer in torrent.get_peer_info()
        if not peer.flags & (lt.peer_info.connecting | lt.peer_info.handshake)
    ]
    return {
        "seeding": now.is_seeding,
        "progress": now.progress,
        "neighbours": sorted(neighbours.get(command.get("node", 0), [])),
        "peers": peers,
    }


def announce(_, command):
    """Announces the session's torrent to its trackers and to the DHT at once."""
    torrent = torrents[command.get("node", 0)]
    torrent.force_reannounce()
    if settings["enable_dht"]:
        torrent.force_dht_announce()


def trackers(_, command):
    """What the session's torrent knows of its trackers."""
    found = torrents[command.get("node", 0)].trackers()
    return [
        {"url": tracker["url"], "verified": tracker["verified"], "fails": tracker["fails"], "message": tracker["message"]}
        for tracker in found
    ]


def get_peers(session, command):
    """Looks up the peers of an info-hash; gives all that any lookup has found, once one node more has named some."""
    wanted = digest(command["infoHash"])
    session.dht_get_peers(wanted)
    yield lambda alert: isinstance(alert, lt.dht_get_peers_reply_alert) and alert.info_hash == wanted
    return sorted(found[str(wanted)])


def put_immutable(session, command):
    """Stores bytes; gives the target once nodes took them."""
    target = session.dht_put_immutable_item(bytes.fromhex(command["value"]))
    alert = yield lambda alert: isinstance(alert, lt.dht_put_alert) and alert.target == target
    return {"target": str(target), "nodes": alert.num_success}


def get_immutable(session, command):
    """Gives the bytes stored at a target; an error when there are none."""
    target = digest(command["target"])
    session.dht_get_immutable_item(target)
    alert = yield lambda alert: isinstance(alert, lt.dht_immutable_item_alert) and alert.target == target
    return alert.item["value"].hex()


def put_mutable(session, command):
    """Stores bytes under a key; the private one is the expanded 64 bytes. The sequence number is the next."""
    public = bytes.fromhex(command["public"])
    salt = bytes.fromhex(command.get("salt", ""))
    session.dht_put_mutable_item(bytes.fromhex(command["private"]), public, bytes.fromhex(command["value"]), salt)
    alert = yield lambda alert: isinstance(alert, lt.dht_put_alert) and alert.public_key == public
    return {"nodes": alert.num_success, "seq": alert.seq}


def get_mutable(session, command):
    """Gives what is stored under a key, as its first authoritative answer says it."""
    public = bytes.fromhex(command["public"])
    session.dht_get_mutable_item(public, bytes.fromhex(command.get("salt", "")))
    alert = yield lambda alert: isinstance(alert, lt.dht_mutable_item_alert) and alert.authoritative
    return {"value": alert.item["value"].hex(), "seq": alert.seq}


def sample(session, command):
    """Asks one node for a sample of the info-hashes that it stores (BEP 51)."""
    session.dht_sample_infohashes(endpoint(command["address"]), digest(command["target"]))
    alert = yield lambda alert: isinstance(alert, lt.dht_sample_infohashes_alert)
    return {"samples": [str(sample) for sample in alert.samples], "num": alert.num_samples}


COMMANDS = {
    act.__name__: act
    for act in (
        add_nodes, nodes, add, connect, status, announce, trackers, get_peers,
        put_immutable, get_immutable, put_mutable, get_mutable, sample,
    )
}  # fmt: skip
lines = queue.Queue()


def read_lines():
    for line in sys.stdin:
        lines.put(json.loads(line))
    os._exit(0)  # the sessions' own farewells take seconds


def answer(command, **rest):
    print(json.dumps({"id": command["id"], **rest}), flush=True)


def begin(command):
    """Runs a command; one that waits for an alert is kept until that came."""
    try:
        result = COMMANDS[command["do"]](sessions[command.get("node", 0)], command)
        if hasattr(result, "send"):
            waiting.append((command, result, next(result)))
        else:
            answer(command, result=result)
    except Exception as error:  # noqa: BLE001
        answer(command, error=repr(error))


def offer(session, alert):
    """Gives an alert to the command of its session that waits for it."""
    for entry in list(waiting):
        command, steps, fits = entry
        if sessions[command.get("node", 0)] is not session:
            continue
        try:
            if not fits(alert):
                continue
            waiting.remove(entry)
            steps.send(alert)
        except StopIteration as end:
            answer(command, result=end.value)
        except Exception as error:  # noqa: BLE001
            answer(command, error=repr(error))


waiting = []
threading.Thread(target=read_lines, daemon=True).start()
answer({"id": 0}, result=[session.listen_port() for session in sessions])
while True:
    while not lines.empty():
        begin(lines.get())
    for index, session in enumerate(sessions):
        for alert in session.pop_alerts():
            if alert.what() == "lsd_peer":  # which has no class in Python
                neighbours.setdefault(index, set()).add(re.search(r"peer \[ (\S+)", alert.message())[1])
            if isinstance(alert, lt.dht_get_peers_reply_alert):
                found.setdefault(str(alert.info_hash), set()).update("{}:{}".format(*peer) for peer in alert.peers())
            offer(session, alert)
    time.sleep(0.02)
