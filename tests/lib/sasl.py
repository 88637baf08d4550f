# SPDX-License-Identifier: BSD-2-Clause
"""Accounts that log in to a mail server (RFC 4954): Cyrus SASL, which Postfix and Sendmail share, with its own database."""

import pathlib
import subprocess

from lib import place

CONF = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/accounts
mech_list: PLAIN
"""
REALM = "old.example"


def accounts(folder, **passwords):
    """Makes the folder with these accounts, and the configuration of either server. Returns it."""
    folder = pathlib.Path(folder)
    folder.mkdir()
    root = place.unpacked("sasl")
    for name in ("smtpd.conf", "Sendmail.conf"):
        (folder / name).write_text(CONF.format(folder=folder))
    for name, password in passwords.items():
        subprocess.run([root / "usr/sbin/saslpasswd2", "-p", "-c", "-f", folder / "accounts", "-u", REALM, name],
                       input=password, text=True, check=True, capture_output=True, timeout=place.PATIENCE,
                       env={"LD_LIBRARY_PATH": (root / "lib-path").read_text().strip()})
    (folder / "accounts").chmod(0o644)  # each server reads it as a user of its own
    return folder


def postfix():
    """What an smtpd has to be set to, beside Postfix(…, sasl=FOLDER)."""
    return {"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "cyrus", "smtpd_sasl_path": "smtpd",
            "smtpd_sasl_local_domain": REALM, "smtpd_tls_auth_only": "no"}


def sendmail(folder):
    """Lines for sendmail.mc."""
    return (f"define(`confAUTH_MECHANISMS', `PLAIN')dnl\ndefine(`confAUTH_REALM', `{REALM}')dnl\n"
            f"LOCAL_CONFIG\nESASL_CONF_PATH={folder}\n")
