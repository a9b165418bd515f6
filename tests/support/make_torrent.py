"""Makes a v1 .torrent with libtorrent: make_torrent.py OPTIONS-AS-JSON. Prints {"infoHash": hex, "pads": [{"path", "size"}]}.

`pads` aligns every file to a piece with pad files (BEP 47).
"""
import json
import os
import sys

import libtorrent as lt

options = json.loads(sys.argv[1])
path = options["path"]

files = lt.file_storage()
lt.add_files(files, path)
flags = lt.create_torrent.v1_only
if options.get("pads"):
    flags |= lt.create_torrent.canonical_files
torrent = lt.create_torrent(files, piece_size=options["pieceLength"], flags=flags)
for url in options.get("trackers", []):
    torrent.add_tracker(url)
torrent.set_priv(options.get("private", False))
lt.set_piece_hashes(torrent, os.path.dirname(path))
encoded = lt.bencode(torrent.generate())
with open(options["out"], "wb") as file:
    file.write(encoded)

info = lt.torrent_info(options["out"])
files = info.files()
pads = [
    {"path": files.file_path(i), "size": files.file_size(i)}
    for i in range(files.num_files())
    if files.file_flags(i) & lt.file_storage.flag_pad_file
]
print(json.dumps({"infoHash": str(info.info_hash()), "pads": pads}))
