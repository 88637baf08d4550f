/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int privileges_find(struct owner *out, const char *user, struct error *err)
{
    *out = (struct owner){.uid = geteuid(), .gid = getegid()};
    if (geteuid() != 0 || *user == '\0')
        return 0;
    const struct passwd *known = getpwnam(user);
    if (known == NULL)
        return error_set(err, EX_CONFIG,
                         "user: no such user '%s': make it (useradd --system %s) or set another",
                         user, user);
    *out = (struct owner){.uid = known->pw_uid, .gid = known->pw_gid, .name = user};
    return 0;
}

/* setresuid takes all but the inheritable ones, and with the securebit 'no setuid fixup' none
 * (capabilities(7)). */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return (int)syscall(SYS_capset, &header, none);
}

int privileges_drop(const struct owner *owner, gid_t socket_group, struct error *err)
{
    if (geteuid() != 0)
        return 0;
    if (owner->name == NULL) /* root stays root */
        return setegid(socket_group) == 0
                   ? 0
                   : error_set(err, EX_OSERR, "socket_group: %s", strerror(errno));
    if (initgroups(owner->name, owner->gid) == 0 &&
        setresgid(owner->gid, socket_group, owner->gid) == 0 &&
        setresuid(owner->uid, owner->uid, owner->uid) == 0 &&
        (owner->uid == 0 || drop_capabilities() == 0))
        return 0;
    return error_set(err, EX_OSERR, "user: cannot become '%s': %s", owner->name, strerror(errno));
}

int privileges_settle(const struct owner *owner, struct error *err)
{
    if (owner->name == NULL && owner->uid != 0) {
        /* Ambient ones. The unit of systemd, where there are none, refuses the call. */
        (void)drop_capabilities();
        return 0;
    }
    if (setresgid(owner->gid, owner->gid, owner->gid) != 0)
        return error_set(err, EX_OSERR, "user: cannot give up the socket's group: %s",
                         strerror(errno));
    if (owner->uid != 0 && setuid(0) == 0)
        return error_set(err, EX_OSERR, "user: still root after becoming '%s'", owner->name);
    return 0;
}
