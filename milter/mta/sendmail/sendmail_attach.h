/* mta/sendmail/sendmail_attach.h: attach and detach for Sendmail, as struct mta has them. */
#ifndef MTA_SENDMAIL_SENDMAIL_ATTACH_H
#define MTA_SENDMAIL_SENDMAIL_ATTACH_H

#include "mta/mta.h"

int sendmail_attach(const struct mta_request *request, struct error *err);
int sendmail_detach(const struct mta_request *request, struct error *err);

#endif
