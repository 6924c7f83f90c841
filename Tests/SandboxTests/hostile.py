# SPDX-License-Identifier: Apache-2.0
"""A hostile guest in Python: tries what Python offers, prints "<act> refused" or "<act> GOT IT"."""

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)


def call(*arguments):
    """A libc function by name; raises OSError like Python's own."""
    name, *rest = arguments
    if getattr(libc, name)(*rest) < 0:
        raise OSError(ctypes.get_errno(), name)


def write(path, text="x"):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path, "rb") as file:
        return file.read(1)


def made_with_mode(mode):
    path = f"/tmp/made-{mode:o}"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, mode))


def chmod(mode):
    write("/tmp/changed")
    os.chmod("/tmp/changed", mode)


def map_code(path):
    """Bytes written by the guest must not become code through a file."""
    write(path, "\xc3" * 16)
    with open(path, "rb") as file:
        mmap.mmap(file.fileno(), 16, prot=mmap.PROT_READ | mmap.PROT_EXEC, flags=mmap.MAP_PRIVATE)


def run_written(path):
    write(path, "#!/bin/sh\ntrue\n")
    os.chmod(path, 0o755)
    subprocess.run([path], check=True)


def foreign_pids():
    own = {os.getpid(), os.getppid()}
    foreign = [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in own]
    if not foreign:
        raise ProcessLookupError
    print(foreign, file=sys.stderr)


def signal_everyone():
    # Numbers a host has and a fresh pid namespace has not.
    for pid in range(200, 5000):
        try:
            os.kill(pid, 0)
            return
        except ProcessLookupError:
            pass
    raise ProcessLookupError


def unix_out():
    sock = socket.socket(socket.AF_UNIX)
    sock.connect("\0bulkhead-attack-test")


def listen():
    sock = socket.socket(socket.AF_INET)
    sock.bind(("127.0.0.1", 0))


def raw_descriptor_leak():
    for number in range(3, 1024):
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
            return
        except OSError:
            pass
    raise OSError


ACTS = {
    # First: later acts leave descriptors of their own open.
    "inherited descriptors": raw_descriptor_leak,
    "tcp": lambda: socket.create_connection(("127.0.0.1", 22), 1),
    "tcp6": lambda: socket.socket(socket.AF_INET6),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "kernel crypto": lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET),
    "vsock": lambda: socket.socket(socket.AF_VSOCK),
    "can": lambda: socket.socket(socket.AF_CAN, socket.SOCK_RAW, 1),
    "name lookup": lambda: socket.getaddrinfo("example.org", 80),
    "abstract socket of the host": unix_out,
    "tcp server": listen,
    "interfaces": lambda: socket.if_nameindex(),
    "setuid mode": lambda: chmod(0o4755),
    "setgid mode": lambda: chmod(0o2755),
    "setuid at creation": lambda: made_with_mode(0o4755),
    "setgid at creation": lambda: made_with_mode(0o2755),
    "setuid": lambda: os.setuid(0),
    "setgid": lambda: os.setgid(0),
    "setgroups": lambda: os.setgroups([0]),
    "mount": lambda: call("mount", b"x", b"/tmp", b"tmpfs", 0, None),
    "umount": lambda: call("umount2", b"/usr", 2),
    "chroot": lambda: os.chroot("/tmp"),
    "unshare": lambda: call("unshare", 0x10000000),
    "unshare mounts": lambda: call("unshare", 0x00020000),
    "setns": lambda: call("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0),
    "ptrace": lambda: call("ptrace", 16, 1, 0, 0),
    "trace me": lambda: call("ptrace", 0, 0, 0, 0),
    "keyring": lambda: call("syscall", 250, 0, -4, 0),
    "bpf": lambda: call("syscall", 321, 0, 0, 0),
    "io_uring": lambda: call("syscall", 425, 4, ctypes.create_string_buffer(120)),
    "perf": lambda: call("syscall", 298, 0, 0, 0, 0, 0),
    "userfaultfd": lambda: call("syscall", 323, 0),
    "memfd": lambda: os.memfd_create("x"),
    "splice": lambda: os.splice(os.open("/usr/bin/env", os.O_RDONLY), os.pipe()[1], 1),
    "device node": lambda: os.mknod("/tmp/mem", 0o20666, os.makedev(1, 1)),
    "real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "terminal input": lambda: fcntl.ioctl(os.open("/dev/null", os.O_RDWR), 0x5412, b"x"),
    "personality": lambda: call("personality", 0x0040000),
    "more descriptors": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 20, 1 << 20)),
    "limits of pid 1": lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (1, 1)),
    "nice below zero": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
    "host name": lambda: socket.sethostname("x"),
    "write /usr": lambda: write("/usr/x"),
    "write /app": lambda: write("/app/x"),
    "write /etc/passwd": lambda: write("/etc/passwd"),
    "write own memory": lambda: open("/proc/self/mem", "r+b"),
    "write core pattern": lambda: write("/proc/sys/kernel/core_pattern", "|/app/x"),
    "read shadow": lambda: read("/etc/shadow"),
    "read the host's /tmp": lambda: read("/tmp/bulkhead-canary"),
    "read /sys": lambda: os.listdir("/sys"),
    "read pid 1": lambda: read("/proc/1/environ"),
    "read kernel log": lambda: read("/dev/kmsg"),
    "read memory device": lambda: read("/dev/mem"),
    "read a disk": lambda: read("/dev/vda"),
    "processes of others": foreign_pids,
    "signals to others": signal_everyone,
    "code from /tmp": lambda: map_code("/tmp/code"),
    "code from /dev/shm": lambda: map_code("/dev/shm/code"),
    "program from /tmp": lambda: run_written("/tmp/program"),
    "hard link to a setuid program": lambda: os.link("/usr/bin/su", "/tmp/su"),
    "setuid program": lambda: subprocess.run(["/usr/bin/su", "-c", "true"], check=True, capture_output=True),
}

for name, act in ACTS.items():
    try:
        act()
        print(name, "GOT IT")
    except (OSError, ValueError, subprocess.SubprocessError):
        print(name, "refused")
