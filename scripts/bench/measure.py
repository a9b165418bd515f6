"""Runs a command and says exactly what it cost: measure.py RESULT.json COMMAND...

{"cpu": user + system seconds of the process and the children it waited for,
 "rss": peak resident set of its largest process in bytes, "wall": seconds}
SIGTERM is passed on; a command that ignores it for 8 s is killed.
"""
import json
import os
import signal
import subprocess
import sys
import time

result, command = sys.argv[1], sys.argv[2:]
start = time.monotonic()
child = subprocess.Popen(command)


def pass_on(*_):
    child.send_signal(signal.SIGTERM)
    signal.alarm(8)


signal.signal(signal.SIGTERM, pass_on)
signal.signal(signal.SIGALRM, lambda *_: child.kill())
_, status, usage = os.wait4(child.pid, 0)
wall = time.monotonic() - start
with open(result, "w") as file:
    json.dump({"cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss * 1024, "wall": wall}, file)
code = os.waitstatus_to_exitcode(status)
os._exit(code if code >= 0 else 128 - code)
