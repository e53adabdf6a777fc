"""What Python has: a byte for each signal, in a descriptor to select."""

import os
import selectors
import signal
import socket

reader, writer = socket.socketpair()
reader.setblocking(False)
writer.setblocking(False)
signal.set_wakeup_fd(writer.fileno())  # on the main thread alone
signal.signal(signal.SIGTERM, lambda signum, frame: None)  # else the kernel would kill

os.kill(os.getpid(), signal.SIGTERM)

loop = selectors.DefaultSelector()
loop.register(reader, selectors.EVENT_READ)
loop.select()
for number in reader.recv(4096):  # what did not fit is lost
    print(f"select: {signal.Signals(number).name}.")

# Prints:
# select: SIGTERM.
