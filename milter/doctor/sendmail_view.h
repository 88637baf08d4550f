/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/sendmail_view.h: a sendmail.cf as doctor looks at it, and what Sendmail does by it. */
#ifndef DOCTOR_SENDMAIL_VIEW_H
#define DOCTOR_SENDMAIL_VIEW_H

#include "doctor/symptom.h"
#include "mta/sendmail/sendmail_cf.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct sendmail_view {
    char path[PATH_MAX]; /* of sendmail.cf */
    char *text;
    struct sendmail_source source; /* of what it is made; without warnings */
    char *lines;                   /* the same, with a NUL after each line */
    size_t size;                   /* of lines, with the last NUL */
    struct endpoint milter;        /* our socket, as the settings have it */
};

/* The kind of a domain. */
enum {
    SENDMAIL_SERVED,
    SENDMAIL_DENIED, /* Sendmail relays no stranger's mail to it */
    SENDMAIL_LISTED, /* nor to this one, but to its entries */
};

/* As struct specialist has them: their view is a struct sendmail_view. */
void *sendmail_look(const struct evidence *evidence, struct error *err);
void sendmail_look_free(void *looked_at);
int sendmail_services(void *view, const struct server_state *server, int *asked);
int sendmail_classify_domains(const void *view, struct evidence *evidence, struct error *err);
int sendmail_relays(const void *view, const char *recipient, bool *relays, struct error *err);
void sendmail_tell(const struct subject *subject);

/* The value of the last line that begins so, which is the one that counts; "" for none, or if view is NULL.
 * Borrowed. */
const char *sendmail_option(const struct sendmail_view *view, const char *begins);

/* The options of a port, "Port=smtp, Name=MTA"; service is its number. Borrowed. */
const char *sendmail_port(const struct sendmail_view *view, int service);

/* Finds our milter: by the socket, or else by the name. */
bool sendmail_find_us(const struct sendmail_view *view, struct sendmail_filter *out);

#endif
