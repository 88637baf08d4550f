/* ctl/attach_sendmail.c: Sendmail: sendmail.mc and the sendmail.cf that is made of it */
#include "ctl/attach.h"

static int attach(struct ctl *ctl, struct error *err)
{
    (void)ctl;
    return error_set(err, EX_UNAVAILABLE, "sendmail: this version cannot do that");
}

const struct mta mta_sendmail = {"sendmail", attach, attach};
