/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/postfix_view.h: the configuration of a Postfix as doctor looks at it: what holds for the whole server and
 * for each smtpd service, and where milter-moved is in it. postconf(5), master(5). */
#ifndef DOCTOR_POSTFIX_VIEW_H
#define DOCTOR_POSTFIX_VIEW_H

#include "doctor/symptom.h"
#include "mta/postfix/postfix.h"
#include "mta/postfix/postfix_plan.h"

#include <stdbool.h>
#include <stddef.h>

/* All parameters, expanded. */
struct postfix_parameters {
    char *text; /* which they point into */
    struct postfix_parameter *of;
    size_t count;
};

struct postfix_view {
    struct postfix postfix;
    struct postfix_parameters server,
        *of_services; /* as main.cf alone has them; one for each service */
    struct service *services;
    size_t service_count;
    char *lines;            /* of master.cf, as postconf -M prints them */
    char *own;              /* what it sets for its services, as postconf -P prints it */
    int door;               /* the service behind the port that is asked, its number; -1: unknown */
    const char *owner;      /* the account that smtpd and proxymap run under */
    struct endpoint milter; /* our socket, as the settings have it */
    const char *lookups;    /* the path of our lookup socket; "" for none */
};

/* An item of smtpd_milters: "unix:PATH", or "{ unix:PATH, default_action=tempfail }". */
struct postfix_milter {
    char address[ENDPOINT_TEXT_SIZE], options[512];
};

/* The lists of restrictions. */
#define POSTFIX_RESTRICTIONS 5
extern const char *const postfix_restrictions[POSTFIX_RESTRICTIONS];

/* As struct specialist has them: their view is a struct postfix_view. */
void *postfix_look(const struct evidence *evidence, struct error *err);
void postfix_look_free(void *looked_at);
int postfix_services_at(void *view, const struct server_state *server, int *asked);
int postfix_classify_domains(const void *view, struct evidence *evidence, struct error *err);
void postfix_tell(const struct subject *subject);

/* The value of a parameter in main.cf, and as a service has it (its number, -1 for main.cf's); "" if it is not set, or
 * view is NULL. Borrowed. */
const char *postfix_of_server(const struct postfix_view *view, const char *name);
const char *postfix_of_service(const struct postfix_view *view, int service, const char *name);

/* Whether it is an item of a list that names one of our maps in its own words, "socketmap:unix:milter-moved/lookup.sock:listed";
 * or our milter. */
bool postfix_is_our_map(const struct postfix_view *view, int service, const char *item);
bool postfix_is_our_milter(const struct postfix_view *view, int service, const char *item);

/* Whether a parameter of the service, which is not -1, names this map of ours: ":listed", ":refused". */
bool postfix_asks(const struct postfix_view *view, int service, const char *map);

/* Whether the service's smtpd finds us at this address. */
bool postfix_leads_to_us(const struct postfix_view *view, int service, const char *address);

/* Finds us in a list of milters: by the socket, or else by the name. */
bool postfix_find_us(const struct postfix_view *view, int service, const char *list,
                     struct postfix_milter *out);

/* The same among the milters that the service asks. */
bool postfix_has_us(const struct postfix_view *view, int service, struct postfix_milter *out);

#endif
