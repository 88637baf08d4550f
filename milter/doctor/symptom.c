#include "doctor/symptom.h"

#include "mta/reach.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>

bool symptom_is_shut_out(const struct subject *subject, const char *path, const char *user)
{
    char part[PATH_MAX];
    struct facts *facts = subject->facts;
    const struct passwd *account = getpwnam(user);
    const struct group *group = account == NULL ? NULL : getgrgid(account->pw_gid);

    switch (group == NULL ? REACH_FREE : reach_find(part, sizeof part, path, user)) {
    case REACH_FREE:
    case REACH_MISSING: break;
    case REACH_FOLDER:
        fact_set(facts, "stops", "%s: %s may not pass through it", part, user);
        fact_set(facts, "let", "chmod o+x %s", part);
        return true;
    case REACH_SOCKET:
        fact_set(facts, "stops", "%s: %s may not write to it", part, user);
        fact_set(facts, "let",
                 "socket_group = \"%s\"; socket_mode = \"0660\"; in %s, and restart milter-moved",
                 group->gr_name, subject->evidence->conf);
        return true;
    }
    return false;
}
