/* mta/postfix/postfix_attach.h: attach and detach for Postfix, as struct mta has them. */
#ifndef MTA_POSTFIX_POSTFIX_ATTACH_H
#define MTA_POSTFIX_POSTFIX_ATTACH_H

#include "mta/mta.h"

int postfix_attach(const struct mta_request *request, struct error *err);
int postfix_detach(const struct mta_request *request, struct error *err);

#endif
