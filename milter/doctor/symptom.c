#include "doctor/symptom.h"

#include "mta/reach.h"

#include <string.h>

bool symptom_is_shut_out(const struct subject *subject, const char *path, const char *user)
{
    struct error err;
    if (reach_check(path, user, &err) == 0 || err.status != EX_NOPERM)
        return false;
    char *end =
        strstr(err.text, "it: "); /* its parts: what stops the account, and what lets it pass */
    fact_set(subject->facts, "stops", "%.*s", (int)(end + 2 - err.text), err.text);
    fact_set(subject->facts, "let", "%s", end + 4);
    return true;
}
