/* ctl/attach_postfix.c: Postfix: main.cf and master.cf */
#include "ctl/attach.h"

static int attach(struct ctl *ctl, struct error *err)
{
    (void)ctl;
    return error_set(err, EX_UNAVAILABLE, "postfix: this version cannot do that");
}

const struct mta mta_postfix = {"postfix", attach, attach};
