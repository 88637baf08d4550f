# SPDX-License-Identifier: BSD-2-Clause
"""movedctl attach postfix on configurations in the shape of mail systems that administrators install whole: what a present, an
unknown, a removed and a foreign recipient get at each stage, what doctor says, and that detach leaves the files as they were."""

import contextlib
import dataclasses
import os
import unittest

from lib import place
from lib.daemon import Daemon
from lib.socketmap import serving
from lib.stock import Stock
from mta.test_attach_postfix import MOVED, Case, place_in_queue

PRESENT, UNKNOWN, REMOVED = "here@virt.example", "nobody@virt.example", "gone@virt.example"
RETIRED, FOREIGN = "gone@retired.example", "victim@elsewhere.example"
ASKED = (PRESENT, UNKNOWN, REMOVED, RETIRED, FOREIGN)

# What all of them have: here@virt.example is a mailbox, and mail goes nowhere.
COMMON = """\
myhostname = mx.virt.example
mynetworks = 127.0.0.1/32
alias_maps =
alias_database =
virtual_transport = discard:
local_transport = discard:
relay_transport = discard:
default_transport = discard:
"""
# Tables of files that all may read; each configuration names those that it wants.
TABLES = {
    "domains": "# those that we serve\n#retired.example\nvirt.example\n  # an end\n",
    "domains.map": "virt.example OK\n",
    "mailboxes": "here@virt.example virt/here/\n",
    "aliases": "postmaster@virt.example here@virt.example\n",
    "senders": "bad@client.example REJECT\n",
    "relays": "relay.example OK\n",
    "relayed": "here@relay.example OK\n",
    "greylisted": "",
}
# What a program of the suite answers over socketmap: its aliases have its mailboxes too.
STORE = {
    "domain": {"virt.example": "virt.example"},
    "mailbox": {"here@virt.example": "here@virt.example"},
    "alias": {"here@virt.example": "here@virt.example", "postmaster@virt.example": "here@virt.example"},
}
# A policy service: greylists each recipient once where the file says so.
POLICY = """\
while read -r line; do
    case "$line" in
    recipient=*) recipient=${{line#recipient=}} ;;
    "") if [ ! -d {tables}/seen ] || [ -e "{tables}/seen/$recipient" ]; then echo action=DUNNO; else
            : > "{tables}/seen/$recipient"
            echo action=defer_if_permit greylisted
        fi
        echo ;;
    esac
done
"""
POLICY_SERVICE = "policy unix - n n - 0 spawn user=nobody argv=/bin/sh {tables}/policy\n"

OK, NOT_KNOWN, DENIED = "250 ", "550 5.1.1 ", ("454 4.7.1 ", "554 5.7.1 ")
DEFERRED, REFUSED = "451 4.", ("4", "5")
KNOWN = MOVED.format("gone@new.example")
BEFORE = (OK, NOT_KNOWN, NOT_KNOWN, DENIED, DENIED)
ATTACHED = (OK, NOT_KNOWN, KNOWN, DENIED, DENIED)
UNSERVED = (OK, NOT_KNOWN, KNOWN, KNOWN, DENIED)


@dataclasses.dataclass
class Shape:
    """A mail system: its main.cf and master.cf; what its own tool does later."""
    name: str
    main: str
    tool: tuple  # of postconf's arguments, or of what main.cf is cut behind
    after_tool: tuple
    finding: str  # of doctor, then
    services: str = ""
    options: tuple = ()
    before: tuple = BEFORE
    attached: tuple = ATTACHED
    says: str = ""  # attach
    greylists: bool = False
    faults: str = ""  # of doctor, while all is well
    confined: bool = True  # in the chroot


SHAPES = (
    # One container of a suite: rspamd, SQL tables through proxymap, and a main.cf that is cut and written on at each start.
    Shape("mailcow", """\
mydestination = localhost.localdomain, localhost
virtual_mailbox_domains = proxy:texthash:{tables}/domains.map
virtual_mailbox_maps = proxy:texthash:{tables}/mailboxes
virtual_alias_maps = proxy:texthash:{tables}/aliases, proxy:inline:{{{{team@virt.example=here@virt.example}}}}
relay_domains = proxy:inline:{{{{backup.example=OK}}}}
relay_recipient_maps = proxy:inline:{{{{here@backup.example=OK}}}}
smtpd_milters = {{ inet:127.0.0.1:9, default_action=accept, connect_timeout=1s }}
non_smtpd_milters = $smtpd_milters
milter_default_action = accept
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination
smtpd_sender_restrictions = check_sender_access texthash:{tables}/senders, permit_mynetworks,
  permit_sasl_authenticated, reject_unlisted_sender
smtpd_recipient_restrictions = permit_sasl_authenticated, permit_mynetworks, reject_invalid_helo_hostname,
  reject_unauth_destination
smtpd_reject_unlisted_sender = yes
smtpd_hard_error_limit = ${{stress?1}}${{stress:5}}
smtpd_client_port_logging = yes
# written at each start
maximal_queue_lifetime = 5d
""", ("cut", "# written at each start\n", "maximal_queue_lifetime = 5d\n"), ATTACHED, "", """\
{second} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=no
  -o smtpd_client_restrictions=permit_mynetworks,permit_sasl_authenticated,reject
""", says="reject_unlisted_sender: a removed mailbox counts as known"),

    # Everything in files, the refusal to relay among the client restrictions, amavis on loopback.
    Shape("docker-mailserver", """\
mydestination = localhost.$mydomain, localhost
virtual_mailbox_domains = {tables}/domains
virtual_mailbox_maps = texthash:{tables}/mailboxes
virtual_alias_maps = texthash:{tables}/aliases
recipient_delimiter = +-
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_client_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_unauth_pipelining
smtpd_recipient_restrictions = permit_sasl_authenticated, permit_mynetworks, reject_unauth_destination,
  check_policy_service unix:private/policy, reject_unauth_pipelining
content_filter = scan:[127.0.0.1]:9
""", ("-e", "virtual_mailbox_maps = texthash:{tables}/mailboxes, inline:{{ later@virt.example=x }}"), (OK, NOT_KNOWN, NOT_KNOWN, KNOWN, DENIED),
          "listed-missing", POLICY_SERVICE + """\
scan unix - - n - 2 smtp
{filtered} inet n - n - - smtpd
  -o content_filter=
  -o mynetworks=127.0.0.0/8
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
  -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks,no_milters
""", options=("--unserved",), attached=UNSERVED, says='recipient_delimiter = +-, and delimiters = "+"'),

    # A policy daemon first, unlisted recipients before everything, and a reinjection port without no_milters.
    Shape("iRedMail", """\
mydestination = $myhostname, localhost, localhost.localdomain
virtual_mailbox_domains = proxy:texthash:{tables}/domains.map
virtual_mailbox_maps = proxy:texthash:{tables}/mailboxes
virtual_alias_maps = proxy:texthash:{tables}/aliases
relay_domains = $mydestination proxy:texthash:{tables}/relays
recipient_delimiter = +
smtpd_reject_unlisted_recipient = yes
smtpd_reject_unlisted_sender = yes
smtpd_sender_restrictions = reject_non_fqdn_sender reject_unlisted_sender permit_mynetworks permit_sasl_authenticated
smtpd_recipient_restrictions = reject_non_fqdn_recipient reject_unlisted_recipient check_policy_service unix:private/policy
  permit_mynetworks permit_sasl_authenticated reject_unauth_destination
smtpd_end_of_data_restrictions = check_policy_service unix:private/policy
content_filter = scan:[127.0.0.1]:9
""", ("-P", "{smtp}/inet/smtpd_client_restrictions=permit_mynetworks"), ATTACHED, "", POLICY_SERVICE + """\
scan unix - - n - 2 smtp
{filtered} inet n - n - - smtpd
  -o content_filter=
  -o smtpd_helo_restrictions=
  -o mynetworks=127.0.0.0/8
  -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks,no_address_mappings
""", says="/inet has no_unknown_recipient_checks in master.cf, and is left alone"),

    # A class of restrictions for greylisting, a relay domain with recipients, two reinjection ports.
    Shape("ISPConfig", """\
mydestination = localhost, localhost.localdomain
virtual_alias_domains = proxy:inline:{{{{alias.example=x}}}}
virtual_alias_maps = proxy:texthash:{tables}/aliases, proxy:inline:{{{{here@alias.example=here@virt.example}}}}
virtual_mailbox_domains = proxy:texthash:{tables}/domains.map
virtual_mailbox_maps = proxy:texthash:{tables}/mailboxes
relay_domains = proxy:texthash:{tables}/relays
relay_recipient_maps = proxy:texthash:{tables}/relayed
smtpd_restriction_classes = greylisting
greylisting = check_policy_service unix:private/policy
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_non_fqdn_recipient, reject_unlisted_recipient,
  reject_unauth_destination, check_recipient_access inline:{{{{here@virt.example=greylisting}}}}
owner_request_special = no
content_filter = scan:[127.0.0.1]:9
receive_override_options = no_address_mappings
""", ("-F", "{smtp}/inet/chroot=n"), UNSERVED, "", POLICY_SERVICE + """\
scan unix - - n - 2 smtp
{filtered} inet n - n - - smtpd
  -o content_filter=
  -o local_recipient_maps=
  -o relay_recipient_maps=
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
  -o mynetworks=127.0.0.0/8
  -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks
""", options=("--unserved",), attached=UNSERVED),

    # Milters in one list for all, local recipients by reference, and a greylist behind unlisted recipients.
    Shape("Mail-in-a-Box", """\
mydestination = localhost
virtual_mailbox_domains = texthash:{tables}/domains.map
virtual_mailbox_maps = texthash:{tables}/mailboxes
virtual_alias_maps = texthash:{tables}/aliases
local_recipient_maps = $virtual_mailbox_maps
smtpd_milters = {{ inet:127.0.0.1:9, default_action=accept }} {{ inet:127.0.0.1:11, default_action=accept }}
non_smtpd_milters = $smtpd_milters
milter_default_action = accept
smtpd_relay_restrictions = permit_sasl_authenticated,permit_mynetworks,reject_unauth_destination
smtpd_sender_restrictions = reject_non_fqdn_sender,check_sender_access texthash:{tables}/senders
smtpd_recipient_restrictions = permit_sasl_authenticated,permit_mynetworks,reject_unlisted_recipient,check_policy_service unix:private/policy
""", ("-e", "smtpd_milters = {{ inet:127.0.0.1:9, default_action=accept }}"), BEFORE, "listed-without-milter", POLICY_SERVICE,
          greylists=True, says="one that greylists answers 450"),

    # No relay restrictions at all: the recipient restrictions alone keep it closed.
    Shape("Froxlor", """\
mydestination = $myhostname, localhost
virtual_mailbox_domains = proxy:texthash:{tables}/domains.map
virtual_mailbox_maps = proxy:texthash:{tables}/mailboxes
virtual_alias_maps = proxy:texthash:{tables}/aliases
smtpd_relay_restrictions =
smtpd_recipient_restrictions = permit_mynetworks,
    permit_sasl_authenticated,
# the line that keeps it closed
    reject_unauth_destination,
    reject_unauth_pipelining,
    reject_non_fqdn_recipient
smtpd_sender_restrictions = permit_mynetworks, reject_sender_login_mismatch
""", ("-M", "{smtp}/inet={smtp} inet n - y - - smtpd"), BEFORE, "not-attached",
          options=("--unserved",), attached=UNSERVED),

    # One container of a suite: every table is asked of a program, by a parameter of its own; both files come from a template.
    Shape("Mailu", """\
store = socketmap:unix:{tables}/store.sock:
mydestination =
recipient_delimiter = +
virtual_alias_domains =
virtual_alias_maps = ${{store}}alias
virtual_mailbox_domains = ${{store}}domain
virtual_mailbox_maps = ${{store}}mailbox
relay_domains = ${{store}}transport
transport_maps = ${{store}}transport
sender_canonical_maps = ${{store}}sendermap
sender_canonical_classes = envelope_sender
recipient_canonical_maps = ${{store}}recipientmap
recipient_canonical_classes = envelope_recipient,header_recipient
smtpd_sender_login_maps = ${{store}}senderlogin
smtpd_delay_reject = yes
smtpd_helo_required = yes
smtpd_client_restrictions = permit_mynetworks, check_sender_access ${{store}}senderaccess, reject_non_fqdn_sender, permit
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_milters = inet:127.0.0.1:9
milter_default_action = accept
""", ("render",), BEFORE, "not-attached", """\
{second} inet n - n - - smtpd
  -o smtpd_client_restrictions=reject_unlisted_sender,permit
  -o smtpd_reject_unlisted_recipient=no
  -o cleanup_service_name=outclean
outclean unix n - n - 0 cleanup
""", says="reject_unlisted_sender: a removed mailbox counts as known", confined=False),

    # Recipients are verified by probes, which no milter hears of.
    Shape("Modoboa", """\
mydestination = localhost
virtual_mailbox_domains = proxy:texthash:{tables}/domains.map
virtual_mailbox_maps = proxy:texthash:{tables}/mailboxes
virtual_alias_maps = proxy:texthash:{tables}/aliases
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = check_policy_service unix:private/policy, permit_mynetworks, permit_sasl_authenticated,
  reject_unverified_recipient, reject_unauth_destination, reject_non_fqdn_sender
address_verify_map =
address_verify_virtual_transport = virtual
virtual_mailbox_base = {tables}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
unverified_recipient_reject_code = 550
""", ("-e", "maximal_queue_lifetime = 2d"), BEFORE, "recipients-verified", POLICY_SERVICE, attached=BEFORE, faults="recipients-verified",
          says="reject_unverified_recipient asks where a mailbox is delivered"),
)


class Foreign(Case):
    """One of them, from before attach until after detach."""

    def begin(self, shape):
        self.shape, self.tables, ports = shape, self.folder / "tables", place.free_ports(2)
        self.tables.mkdir()
        if shape.greylists:
            (self.tables / "seen").mkdir()
            (self.tables / "seen").chmod(0o777)
        self.words = {"tables": self.tables, "second": f"127.0.0.1:{ports[0]}", "filtered": f"127.0.0.1:{ports[1]}"}
        for name, text in {**TABLES, "policy": POLICY.format(**self.words)}.items():
            (self.tables / name).write_text(text)
        self.postfix = Stock(self.folder / "p", COMMON + shape.main.format(**self.words).replace("{{", "{").replace("}}", "}"),
                             shape.services.format(**self.words), main="")
        self.postfix.ports.update((name, port) for name, port in zip(("second", "filtered"), ports) if f"{{{name}}}" in shape.services)
        self.stack.enter_context(serving(self.tables / "store.sock", STORE))
        self.stack.enter_context(self.postfix)
        if not shape.confined:
            self.postfix.run("postconf", "-F", "*/*/chroot=n")
            self.postfix.run("postfix", "stop")
            self.postfix.run("postfix", "start")
        self.words["smtp"] = f"127.0.0.1:{self.postfix.ports['smtp']}"
        self.answers = True
        self.daemon = Daemon(self.folder / "d", group=Stock.group).runs_for_an_hour()
        place_in_queue(self.daemon, self.postfix)
        self.stack.enter_context(self.daemon)
        moved = (REMOVED, RETIRED) if "--unserved" in shape.options else (REMOVED,)
        self.daemon.hold(*((old, "gone@new.example") for old in moved))

    def hear(self, stage, expected):
        self.assert_closed()
        for recipient, reply in zip(ASKED, expected):
            said = []

            def is_right():
                said.append(self.postfix.rcpt(recipient))
                return said[-1].startswith(reply)
            with contextlib.suppress(AssertionError):
                place.until(is_right, "the reply is the one that is expected")
            self.assertTrue(said[-1].startswith(reply), f"{stage}: {recipient} gets not {reply}, but {said[-1]}\n{self.postfix.log()[-2000:]}")
        self.assert_closed()

    def filtered(self):
        port = self.postfix.ports.get("filtered")
        with self.postfix.stranger(client="127.0.0.1", port=port) as talk:
            talk.mail()
            return [talk.rcpt(recipient) for recipient in (PRESENT, REMOVED)]

    def doctor(self, finding):
        done = self.ctl("doctor", "--smtp", self.words["smtp"])
        self.assertEqual(done.returncode, 1 if finding else 0, done.stdout + done.stderr)
        self.assertIn(finding, done.stdout)

    def use_tool(self):
        what, *args = self.shape.tool
        if what == "render":
            self.put_back(self.rendered)
            return
        if what == "cut":
            main = self.postfix.conf / "main.cf"
            place.replace(main, main.read_text().split(args[0])[0] + args[0] + args[1])
            return
        done = self.postfix.run("postconf", what, *(arg.format(**self.words).replace("{{", "{").replace("}}", "}") for arg in args))
        self.assertEqual(done.returncode, 0, done.stderr)

    def put_back(self, files):
        for name, text in files.items():
            path = self.postfix.conf / name
            place.replace(path, text)
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))

    def walk(self, shape):
        self.begin(shape)
        files = self.rendered = self.postfix.files()
        self.hear("before", shape.before)
        reinjects = self.filtered() if "filtered" in self.postfix.ports else None

        self.assertIn(shape.says, self.attach(*shape.options))
        if shape.greylists:
            place.until(lambda: self.postfix.rcpt(REMOVED).startswith("450 4.7.1 "), "the first try")
        self.hear("attached", shape.attached)
        attached = self.postfix.files()
        self.assertEqual(self.attach(*shape.options), "Attached already: nothing to change.\n")
        self.assertEqual(self.postfix.files(), attached)
        self.doctor(shape.faults)

        self.daemon.stop()
        self.hear("down", (DEFERRED, REFUSED, REFUSED if shape.faults else DEFERRED, REFUSED, REFUSED))
        if reinjects:
            self.assertEqual(self.filtered(), reinjects)
        self.daemon.start()

        self.detach()
        self.assertEqual(self.postfix.files(), files)
        self.hear("detached", shape.before)

        self.attach(*shape.options)
        self.hear("attached again", shape.attached)
        self.use_tool()
        self.postfix.run("postfix", "reload")
        self.hear("after its own tool", shape.after_tool)
        self.doctor(shape.finding)
        self.attach(*shape.options)
        self.hear("mended", shape.attached)
        self.detach()
        left = self.postfix.files()
        self.put_back(files)
        self.use_tool()
        self.assertEqual(left, self.postfix.files())


# A class each, so that they run side by side.
for _shape in SHAPES:
    _name = "".join(part.capitalize() for part in _shape.name.split("-"))
    globals()[_name] = type(_name, (Foreign,), {
        "__module__": __name__, "test_from_before_attach_to_after_detach": lambda self, shape=_shape: self.walk(shape)})


if __name__ == "__main__":
    unittest.main()
