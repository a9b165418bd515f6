"""One libtorrent peer: libtorrent_peer.py OPTIONS-AS-JSON. Writes its counters to `stats` whenever they change.

A leecher ends with 0 when it has everything; a seeder runs until SIGTERM.
`first` and `last` are the times of the first and last payload bytes it saw, in seconds; `connections` are the kinds of
connections that it saw carry payload.
"""
import json
import os
import signal
import sys
import time

import libtorrent as lt

options = json.loads(sys.argv[1])
leech = options["role"] == "leech"

session = lt.session({
    "listen_interfaces": "{ip}:{port}".format(**options),
    "alert_mask": 0,
    "allow_multiple_connections_per_ip": True,
    "enable_dht": False,
    "enable_lsd": False,
    "enable_natpmp": False,
    "enable_upnp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "in_enc_policy": int(lt.enc_policy.disabled),
    "out_enc_policy": int(lt.enc_policy.disabled),
    "upload_rate_limit": options.get("uploadLimit", 0),
    **options.get("settings", {}),
})
# Limits don't count on a local network unless libtorrent is told so.
if options.get("uploadLimit"):
    session.apply_settings({"rate_limit_ip_overhead": False})
    everyone = lt.ip_filter()
    everyone.add_rule("0.0.0.0", "255.255.255.255", 1 << int(lt.session.global_peer_class_id))
    session.set_peer_class_filter(everyone)

if options["torrent"].startswith("magnet:"):
    params = lt.parse_magnet_uri(options["torrent"])
else:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(options["torrent"])
params.save_path = options["folder"]
params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
if not leech:
    params.flags |= lt.torrent_flags.seed_mode
torrent = session.add_torrent(params)

peer = options.get("peer")
if peer:
    host, port = peer.rsplit(":", 1)

stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))

first = last = None
payload = 0
connections = []
written = 0.0
reported = (0, 0)
UTP = 1 << 17  # peer_info::utp_socket, which Python has no name for


def report():
    with open(options["stats"] + ".new", "w") as file:
        json.dump({"bytes": payload, "first": first, "last": last, "connections": connections}, file)
    os.rename(options["stats"] + ".new", options["stats"])


def look_at_connections():
    for peer in torrent.get_peer_info():
        if peer.flags & (lt.peer_info.connecting | lt.peer_info.handshake):
            continue
        if peer.total_download + peer.total_upload == 0:
            continue
        encrypted = "rc4" if peer.flags & lt.peer_info.rc4_encrypted else "plaintext"
        kind = {
            "transport": "utp" if peer.flags & UTP else "tcp",
            "encryption": encrypted if peer.flags & (lt.peer_info.rc4_encrypted | lt.peer_info.plaintext_encrypted) else "none",
        }
        if kind not in connections:
            connections.append(kind)


asked = 0.0
report()
while not stopped:
    now = time.time()
    status = torrent.status()
    if peer and status.num_peers == 0 and now - asked > 1 and not status.is_seeding:
        torrent.connect_peer((host, int(port)))
        asked = now
    counted = status.total_payload_download if leech else status.total_payload_upload
    if counted > payload:
        payload, last = counted, now
        first = first or now
    look_at_connections()
    if (payload, len(connections)) != reported and now - written > 0.1:
        written, reported = now, (payload, len(connections))
        report()
    if leech and status.is_seeding:
        break
    time.sleep(0.02)
report()
sys.stdout.flush()
os._exit(0)  # the session's own farewell takes seconds
