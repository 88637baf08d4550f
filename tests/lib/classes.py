# SPDX-License-Identifier: BSD-2-Clause
"""A Postfix door for each address class that has a list of mailboxes: it knows here@old.example alone, and asks our lookup socket."""

# door: the domain's class, and the list of its mailboxes
LISTS = {
    "local": {"mydestination": "old.example", "local_recipient_maps": "inline:{here@old.example=here} LISTED"},
    "virtual": {"virtual_mailbox_domains": "old.example",
                "virtual_mailbox_maps": "inline:{here@old.example=all/} LISTED"},
    "alias": {"virtual_alias_domains": "old.example",
              "virtual_alias_maps": "inline:{here@old.example=here@bulk.example} LISTED"},
    "relay": {"relay_domains": "old.example", "relay_recipient_maps": "inline:{here@old.example=here} LISTED"},
}

# What Postfix calls the list in its reply.
TABLES = {"local": "local recipient table", "virtual": "virtual mailbox table", "alias": "virtual alias table",
          "relay": "relay recipient table"}


def doors(daemon):
    """The doors, and the lines for master.cf that they need: the class is trivial-rewrite's to tell, so each has one of its own."""
    listed = f"socketmap:unix:{daemon.lookups}:listed"
    services, made = "", {}
    for door, lists in LISTS.items():
        lists = {"virtual_mailbox_domains": "", **lists}
        options = "".join(f"  -o {{ {name} = {value.replace(' LISTED', '')} }}\n" for name, value in lists.items())
        services += f"rewrite-{door} unix - - n - - trivial-rewrite\n{options}"
        made[door] = (daemon.socket.postfix, {
            "rewrite_service_name": f"rewrite-{door}",
            **{name: value.replace("LISTED", listed) for name, value in lists.items()}})
    return made, services
