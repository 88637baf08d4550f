# SPDX-License-Identifier: BSD-2-Clause
"""A process that is in the middle of reading or writing a table, for as long as it takes: LMDB's own library, asked by hand.

usage: holder.py FOLDER read|write    prints a line when it has begun, and waits to be killed
"""

import contextlib
import ctypes
import pathlib
import subprocess
import sys

READ_ONLY = 0x20000  # MDB_RDONLY
MAP_SIZE = 1 << 36


@contextlib.contextmanager
def holding(table, what):
    """Runs one, which has begun, and ends it."""
    command = [sys.executable, str(pathlib.Path(__file__).resolve()), str(table), what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout.readline() != "begun\n":
                raise AssertionError(f"cannot {what} {table}")
            yield process
        finally:
            process.kill()


def main():
    lmdb = ctypes.CDLL("liblmdb.so.0")

    def call(name, *args):
        status = getattr(lmdb, name)(*args)
        if status != 0:
            sys.exit(f"{name}: {status}")
    flags = READ_ONLY if sys.argv[2] == "read" else 0
    env, txn = ctypes.c_void_p(), ctypes.c_void_p()
    call("mdb_env_create", ctypes.byref(env))
    call("mdb_env_set_mapsize", env, ctypes.c_size_t(MAP_SIZE))
    call("mdb_env_open", env, sys.argv[1].encode(), flags, 0o660)
    call("mdb_txn_begin", env, None, flags, ctypes.byref(txn))
    print("begun", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
