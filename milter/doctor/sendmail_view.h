/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/sendmail_view.h: a sendmail.cf as doctor looks at it, and what Sendmail does by it. */
#ifndef DOCTOR_SENDMAIL_VIEW_H
#define DOCTOR_SENDMAIL_VIEW_H

#include "doctor/exam.h"
#include "mta/sendmail/sendmail_cf.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct sendmail_view {
    char path[PATH_MAX]; /* of sendmail.cf */
    char *text;
    struct text_lines lines;       /* the same */
    struct sendmail_source source; /* of what it is made; without warnings */
    struct endpoint milter;        /* our socket, as the settings have it */
};

/* The kind of a domain. */
enum {
    SENDMAIL_SERVED,
    SENDMAIL_DENIED, /* Sendmail relays no stranger's mail to it */
    SENDMAIL_LISTED, /* nor to this one, but to its entries */
};

/* As struct specialist has them: exam->view is a struct sendmail_view. */
int sendmail_look(struct exam *exam, struct error *err);
void sendmail_look_free(void *looked_at);
int sendmail_classify_domains(struct exam *exam, struct error *err);
int sendmail_relays(const struct exam *exam, const char *recipient, bool *relays,
                    struct error *err);
void sendmail_tell(struct exam *exam);

/* The value of the last line that begins so, which is the one that counts; "" for none, or without a view.
 * Borrowed. */
const char *sendmail_option(const struct exam *exam, const char *begins);

/* The options of the port that is exam->service, "Port=smtp, Name=MTA"; "" for none. Borrowed. */
const char *sendmail_port(const struct exam *exam);

/* Finds our milter: by the socket, or else by the name. */
bool sendmail_find_us(const struct exam *exam, struct sendmail_filter *out);

#endif
