"""Runs a program and prints, as JSON, how it ended and what it took. A process of its own: a program begins with the
memory of the one that starts it, as far as the system's count goes, and this one is small."""
import json
import os
import subprocess
import sys

process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
stdout, stderr = process.stdout.read(), process.stderr.read()  # the latter is short, or there is no room in its pipe
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps({"code": os.waitstatus_to_exitcode(status), "stdout": len(stdout), "stderr": stderr.decode(),
                  "peak": usage.ru_maxrss * 1024, "seconds": usage.ru_utime + usage.ru_stime}))
