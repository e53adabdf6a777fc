"""The same by subprocess, which gives the mask away."""

import signal
import subprocess

script = "kill -USR1 $$; echo Deaf to SIGUSR1."
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

subprocess.run(["sh", "-c", script])  # restore_signals=True: SIGPIPE and SIGXFSZ, no mask


def unblock():  # not safe in a program with threads
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


done = subprocess.run(["sh", "-c", script], preexec_fn=unblock)
print(f"Ended by {signal.Signals(-done.returncode).name}.")

# Prints:
# Deaf to SIGUSR1.
# Ended by SIGUSR1.
