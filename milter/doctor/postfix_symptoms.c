/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/postfix_symptoms.c: what can be wrong with a Postfix: postconf(5), master(5) */
#include "doctor/postfix_danger.h"
#include "doctor/postfix_mend.h"
#include "doctor/postfix_view.h"
#include "mta/postfix/postfix_socket.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the subject, in Postfix's terms */

static const char *of_server(const struct subject *subject, const char *name)
{
    return postfix_of_server(subject->view, name);
}

static const char *of_service(const struct subject *subject, const char *name)
{
    return postfix_of_service(subject->view, subject->service, name);
}

static const struct service *service_of(const struct subject *subject)
{
    const struct postfix_view *view = subject->view;
    return view == NULL || subject->service < 0 ? NULL : &view->services[subject->service];
}

static enum postfix_class class_of(const struct subject *subject)
{
    return subject->domain == NULL ? POSTFIX_NONE : (enum postfix_class)subject->domain->kind;
}

/* The maps that list the mailboxes of the domain; "" if it is of no class. */
static const char *maps_of(const struct subject *subject)
{
    return class_of(subject) == POSTFIX_NONE ? "" : postfix_class_maps(class_of(subject));
}

static bool has_us(const struct subject *subject, struct postfix_milter *us)
{
    return subject->view != NULL && postfix_has_us(subject->view, subject->service, us);
}

/* Whether a list has the map listed. */
static bool has_listed(const char *list)
{
    const char *at = strstr(list, "socketmap:");
    return at != NULL && strstr(at, ":listed") != NULL;
}

/* ---- symptoms of the configuration */

static bool is_softened(const struct subject *subject)
{
    if (strcmp(of_service(subject, "soft_bounce"), "yes") != 0)
        return false;
    mend_set(subject, "soft_bounce", "no");
    return true;
}

static bool is_in_non_smtpd(const struct subject *subject)
{
    struct postfix_milter milter;
    const char *list = of_server(subject, "non_smtpd_milters");
    fact_set(subject->facts, "non_smtpd", "%s", list);
    if (!postfix_find_us(subject->view, subject->service, list, &milter))
        return false;
    struct subject server = *subject;
    server.service = -1; /* the list may refer to smtpd_milters */
    mend_drop(&server, "smtpd_milters", postfix_is_our_milter);
    if (strstr(fact_get(subject->facts, "drop"), "smtpd_milters") == NULL ||
        strstr(list, "$smtpd_milters") != NULL)
        mend_drop(&server, "non_smtpd_milters", postfix_is_our_milter);
    return true;
}

static bool has_footer(const struct subject *subject)
{
    static const char *const names[] = {"smtpd_reject_footer", "smtpd_reject_footer_maps"};
    for (size_t i = 0; i < 2; i++)
        if (!postfix_is_blank(of_service(subject, names[i]))) {
            mend_set(subject, names[i], "");
            return true;
        }
    return false;
}

static bool has_narrow_limits(const struct subject *subject)
{
    size_t entries = subject->evidence->entries;
    long hard = atol(of_service(subject, "smtpd_hard_error_limit"));
    fact_set(subject->facts, "hard", "%ld", hard);
    fact_set(subject->facts, "soft", "%s", of_service(subject, "smtpd_soft_error_limit"));
    fact_set(subject->facts, "entries", "%zu", entries);
    return hard > 0 && (size_t)hard <= entries;
}

static bool has_relocated(const struct subject *subject)
{
    if (!postfix_is_our_map(subject->view, -1, of_server(subject, "relocated_maps")))
        return false;
    mend_drop(subject, "relocated_maps", postfix_is_our_map);
    return true;
}

/* Whether recipients are verified, unless those that are listed pass before. */
static bool verifies(const struct subject *subject)
{
    for (size_t i = 0; i < POSTFIX_RESTRICTIONS; i++) {
        const char *list = of_service(subject, postfix_restrictions[i]);
        const char *at = strstr(list, "reject_unverified_recipient"),
                   *passes = strstr(list, ":refused");
        if (at != NULL && (passes == NULL || passes > at)) {
            char words[PATH_MAX];
            snprintf(words, sizeof words, "check_recipient_access %s:refused",
                     fact_get(subject->facts, "asked_at"));
            fact_set(subject->facts, "list", "%s", postfix_restrictions[i]);
            if (!mend_insert(subject, postfix_restrictions[i], words,
                             "reject_unverified_recipient"))
                fact_set(subject->facts, "set", "In its definition put '%s' before it.\n", words);
            return true;
        }
    }
    return false;
}

/* The maps of the first class, from *kind on, that have the map listed. Returns their value, and *kind becomes
 * the class; or NULL. */
static const char *next_listed(const struct subject *subject, int *kind)
{
    for (; *kind < POSTFIX_CLASSES; ++*kind) {
        const char *list = of_service(subject, postfix_class_maps((enum postfix_class) * kind));
        if (has_listed(list))
            return list;
    }
    return NULL;
}

/* proxymap(8) opens only what proxy_read_maps allows. */
static bool lacks_proxy_read(const struct subject *subject)
{
    const char *list;
    for (int kind = 0; (list = next_listed(subject, &kind)) != NULL; kind++)
        if (strstr(list, "proxy:socketmap:") != NULL) {
            mend_drop_maps(subject, postfix_is_our_map);
            return !has_listed(of_server(subject, "proxy_read_maps"));
        }
    return false;
}

static bool may_not_look_up(const struct subject *subject)
{
    const struct postfix_view *view = subject->view;
    return *view->lookups != '\0' && next_listed(subject, &(int){0}) != NULL &&
           symptom_is_shut_out(subject, view->lookups, view->owner);
}

static bool looks_up_elsewhere(const struct subject *subject)
{
    const struct postfix_view *view = subject->view;
    char name[PATH_MAX];
    const char *list, *relative = postfix_queue_path(&view->postfix, view->lookups);
    snprintf(name, sizeof name, "%s:listed", relative == NULL ? view->lookups : relative);
    fact_set(subject->facts, "lookups", "%s", view->lookups);
    for (int kind = 0; (list = next_listed(subject, &kind)) != NULL; kind++)
        if (strstr(list, name) == NULL) {
            fact_set(subject->facts, "maps", "%s", postfix_class_maps((enum postfix_class)kind));
            fact_set(subject->facts, "maps_value", "%s", list);
            mend_drop_maps(subject, postfix_is_our_map);
            return true;
        }
    return false;
}

/* ---- of a service */

/* Of the service that was asked alone: another may have its milters switched off on purpose. */
static bool lacks_us(const struct subject *subject)
{
    const struct postfix_view *view = subject->view;
    struct postfix_milter us;
    return view != NULL && subject->service >= 0 && subject->service == view->door &&
           !has_us(subject, &us);
}

/* attach leaves it alone. */
static bool has_milters_off(const struct subject *subject)
{
    static const char override[] = "receive_override_options";
    const struct service *service = service_of(subject);
    if (service == NULL || service->attached || !lacks_us(subject))
        return false;
    fact_set(subject->facts, "exempt", "%s", service->why);
    mend_set(subject,
             strstr(of_service(subject, override), "no_milters") == NULL ? "smtpd_milters"
                                                                         : override,
             "");
    return true;
}

static bool is_not_attached(const struct subject *subject)
{
    const struct service *service = service_of(subject);
    return service != NULL && service->attached && lacks_us(subject);
}

/* So that attach can give the service its own: what was put there by hand goes. */
static bool drops_milter(const struct subject *subject)
{
    mend_drop(subject, "smtpd_milters", postfix_is_our_milter);
    return true;
}

static bool is_out_of_chroot(const struct subject *subject)
{
    const struct postfix_view *view = subject->view;
    const struct service *service = service_of(subject);
    struct postfix_milter us;
    return service != NULL && service->chroot && has_us(subject, &us) &&
           postfix_is_out_of_chroot(&view->postfix, subject->evidence->settings->socket) &&
           drops_milter(subject);
}

static bool is_elsewhere(const struct subject *subject)
{
    struct postfix_milter us;
    if (!has_us(subject, &us) || postfix_leads_to_us(subject->view, subject->service, us.address))
        return false;
    fact_set(subject->facts, "address", "%s", us.address);
    return drops_milter(subject);
}

static bool may_not_connect(const struct subject *subject)
{
    const struct postfix_view *view = subject->view;
    struct postfix_milter us;
    return view->milter.kind == ENDPOINT_UNIX && has_us(subject, &us) &&
           symptom_is_shut_out(subject, view->milter.name, view->owner);
}

/* What smtpd does if it does not reach us. */
static bool has_other_default(const struct subject *subject)
{
    static const char key[] = "default_action";
    struct postfix_milter us;
    char action[32] = "";
    if (!has_us(subject, &us))
        return false;
    const char *own = strstr(us.options, key);
    const char *value =
        own == NULL ? of_service(subject, "milter_default_action") : own + strlen(key);
    (void)sscanf(value + strspn(value, " ="), "%31[^, }]", action);
    fact_set(subject->facts, "action", "%s", action);
    return strcmp(action, "tempfail") != 0 && drops_milter(subject);
}

/* ---- of a domain */

/* Where nothing refuses to relay by these words, as on a port for those who log in, attach has no place for its map. */
static bool is_unserved(const struct subject *subject)
{
    return subject->domain != NULL && class_of(subject) == POSTFIX_NONE && subject->service >= 0 &&
           !postfix_asks(subject->view, subject->service, ":refused") &&
           postfix_asks(subject->view, subject->service, "auth_destination");
}

/* attach then leaves the maps out: a client that has other milters could send to removed mailboxes. */
static bool has_milter_maps(const struct subject *subject)
{
    return !postfix_is_blank(of_service(subject, "smtpd_milter_maps"));
}

/* The maps of a class that are empty know every recipient, except virtual alias maps, which then know none. A
 * recipient that virtual alias maps know is known whatever its class. */
static bool lacks_listed(const struct subject *subject)
{
    struct postfix_milter us;
    const char *list = of_service(subject, maps_of(subject));
    return class_of(subject) != POSTFIX_NONE && has_us(subject, &us) && !has_milter_maps(subject) &&
           (!postfix_is_blank(list) || class_of(subject) == POSTFIX_ALIAS) && !has_listed(list) &&
           !has_listed(of_service(subject, postfix_class_maps(POSTFIX_ALIAS))) &&
           *subject->evidence->settings->lookup_socket != '\0' &&
           (service_of(subject) == NULL || service_of(subject)->attached);
}

/* The same for the map listed. */
static bool drops_maps(const struct subject *subject)
{
    mend_drop_maps(subject, postfix_is_our_map);
    return true;
}

static bool has_listed_alone(const struct subject *subject)
{
    const char *list = of_service(subject, maps_of(subject));
    return class_of(subject) != POSTFIX_ALIAS && has_listed(list) &&
           strpbrk(list + strspn(list, ", "), ", ") == NULL && drops_maps(subject);
}

/* Other programs than smtpd read the maps of these classes. */
static bool has_listed_for_all(const struct subject *subject)
{
    enum postfix_class kind = class_of(subject);
    return (kind == POSTFIX_VIRTUAL || kind == POSTFIX_ALIAS) &&
           has_listed(of_server(subject, maps_of(subject))) && drops_maps(subject);
}

/* ---- the replies that these lead to */

static bool shows_lookup_failure(const struct subject *subject)
{
    return subject->evidence->daemon.lookups == SOCKET_ANSWERS &&
           asked_class(subject->asked) == 4 && asked_says(subject->asked, "lookup failure");
}

static bool shows_no_milter(const struct subject *subject)
{
    return subject->evidence->daemon.milter == SOCKET_ANSWERS && asked_class(subject->asked) == 4 &&
           asked_says(subject->asked, "Service unavailable");
}

static bool shows_no_us(const struct subject *subject)
{
    return asked_is_ours(subject->asked) &&
           (asked_class(subject->asked) == 2 || asked_says(subject->asked, "user unknown"));
}

/* The map listed without the milter: it says yes while some other session is open, and TEMP just after the
 * daemon's start. */
static bool shows_map_alone(const struct subject *subject)
{
    return shows_no_us(subject) || (asked_is_ours(subject->asked) && shows_lookup_failure(subject));
}

static bool shows_default(const struct subject *subject)
{
    return asked_class(subject->asked) == 2 || asked_says(subject->asked, "Service unavailable") ||
           asked_says(subject->asked, "5.5.0");
}

static bool shows_unknown(const struct subject *subject)
{
    return asked_class(subject->asked) >= 4 && asked_says(subject->asked, "user unknown") &&
           subject->asked->expected.verdict != VERDICT_CONTINUE;
}

/* ---- symptoms of replies alone */

/* The map then answers TEMP. */
static bool lacks_table(const struct subject *subject)
{
    const char *table = subject->evidence->daemon.table;
    return shows_lookup_failure(subject) && *table != '\0' && strcmp(table, "good") != 0;
}

static bool is_passed_over(const struct subject *subject)
{
    if ((!shows_map_alone(subject) && !shows_unknown(subject)) || !has_milter_maps(subject))
        return false;
    mend_set(subject, "smtpd_milter_maps", "");
    return true;
}

static bool relays_for_us(const struct subject *subject)
{
    return subject->view != NULL && subject->asked->invented && class_of(subject) == POSTFIX_NONE &&
           asked_class(subject->asked) == 2;
}

static bool is_relocated(const struct subject *subject)
{
    fact_set(subject->facts, "relocated", "%s", of_server(subject, "relocated_maps"));
    return asked_says(subject->asked, "user has moved to");
}

/* clang-format off */
static const struct symptom symptoms[] = {
    {"open-relay", FAULT, OF_REPLY, danger_relays, NULL,
     "DANGEROUS: the service ${service} takes mail of a stranger (${stranger}) to a domain that nobody serves: "
     "${got}. It relays for everybody.",
     "${set}$ ${reload}"},
    {"empty-pipemap", FAULT, OF_SERVICE, danger_permits_all, NULL,
     "DANGEROUS: ${list} of the service ${service} has a pipemap whose first map is gone: the rest of it permits every "
     "recipient, perhaps those of other servers too.",
     "${drop}$ ${reload}"},
    {"listed-without-milter", FAULT, OF_SERVICE, danger_map_alone, shows_map_alone,
     "DANGEROUS: the service ${service} asks a map of milter-moved, but not its milter: while another session with "
     "the milter is open it accepts mail for mailboxes that are gone, and bounces it later.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"milters-off", FAULT, OF_SERVICE, has_milters_off, shows_no_us,
     "The service ${service}, which listens there, has ${exempt}: attach leaves it alone.",
     "If strangers' mail arrives at another port, ask that one: --smtp HOST:PORT. If it arrives here:\n"
     "${set}$ ${attach}"},
    {"not-attached", FAULT, OF_SERVICE, is_not_attached, shows_no_us,
     "The service ${service}, which listens there, has no milter-moved in its smtpd_milters (${milters}).",
     "$ ${attach}"},
    {"left-behind", FAULT, OF_SERVER, danger_left_behind, NULL,
     "No service asks milter-moved, and the configuration still has ${left}.",
     "${by_hand}To have nothing of it:\n$ ${detach}"},
    {"socket-out-of-chroot", FAULT, OF_SERVICE, is_out_of_chroot, shows_no_milter,
     "The service ${service} is confined to ${queue} (chroot in ${master}), and milter-moved listens outside "
     "of it: ${socket}.",
     "${drop}attach moves the sockets. Where systemd does not run milter-moved it needs two runs:\n"
     "$ ${attach}\n${restart_daemon}\n$ ${attach}"},
    {"socket-elsewhere", FAULT, OF_SERVICE, is_elsewhere, shows_no_milter,
     "The service ${service} looks for milter-moved at ${address}, but it listens on ${socket}.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"socket-access", FAULT, OF_SERVICE, may_not_connect, shows_no_milter,
     "smtpd cannot open the milter's socket: ${stops}.",
     "${let}"},
    {"default-action", FAULT, OF_SERVICE, has_other_default, shows_default,
     "While milter-moved is down the service ${service} does '${action}', and not tempfail.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"unserved", FAULT, OF_DOMAIN, is_unserved, reply_denies_relaying,
     "Postfix no longer accepts mail for ${domain}: a stranger gets 'Relay access denied', and not the new "
     "address.",
     "$ ${attach_unserved}"},
    {"listed-missing", FAULT, OF_DOMAIN, lacks_listed, shows_unknown,
     "${domain} is of class ${class}, and the service ${service} does not ask the map listed for it (${maps} "
     "= ${maps_value}): a mailbox that was removed is unknown, and no milter is asked.",
     "$ ${attach}"},
    {"listed-alone", FAULT, OF_DOMAIN, has_listed_alone, NULL,
     "${maps} has the map listed alone: all other mailboxes of class ${class} are unknown.",
     "Without it the list is empty: every recipient is accepted, and the milter is asked.\n"
     "${drop}$ ${attach}\n$ ${reload}"},
    {"listed-for-all", FAULT, OF_DOMAIN, has_listed_for_all, NULL,
     "${maps} has the map listed in main.cf, where other programs than smtpd read it too: they would deliver "
     "to what they find there, or wait for it.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"daemon-table", FAULT, OF_REPLY, lacks_table, NULL, DAEMON_TABLE_WHY, DAEMON_TABLE_MEND},
    {"proxy-read-maps", FAULT, OF_SERVER, lacks_proxy_read, shows_lookup_failure,
     "proxymap may not open the map listed: it is not in proxy_read_maps.",
     "attach needs no proxymap.\n${drop}$ ${attach}\n$ ${reload}"},
    {"lookup-access", FAULT, OF_SERVER, may_not_look_up, shows_lookup_failure,
     "Postfix cannot open the lookup socket: ${stops}.",
     "${let}"},
    {"lookup-elsewhere", FAULT, OF_SERVER, looks_up_elsewhere, shows_lookup_failure,
     "${maps} = ${maps_value} looks for the map listed elsewhere than at ${lookups}, where milter-moved listens.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"soft-bounce", FAULT, OF_SERVER, is_softened, reply_is_deferred,
     "soft_bounce = yes: every permanent refusal becomes a temporary one, so senders retry for days and are "
     "never told the new address.",
     "${set}$ ${reload}"},
    {"recipients-verified", FAULT, OF_SERVER, verifies, reply_verifies,
     "${list} has reject_unverified_recipient: Postfix probes the destination of the mailbox before any milter is "
     "asked, and a mailbox that was removed is not there.",
     "What milter-moved refuses passes before it. detach will ask for this to be taken out again.\n"
     "${set}$ ${reload}"},
    {"non-smtpd-milters", FAULT, OF_SERVER, is_in_non_smtpd, NULL,
     "non_smtpd_milters = ${non_smtpd} has milter-moved: nothing can be refused there, and mail of "
     "sendmail(1) and cron waits while milter-moved is down.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"relocated-maps", NOTE, OF_SERVER, has_relocated, NULL,
     "relocated_maps asks milter-moved too: it answers 550 without limits, where the milter would answer 551.",
     "The map is for hosts without the milter.\n${drop}$ ${reload}"},
    {"reject-footer", NOTE, OF_SERVER, has_footer, reply_goes_on,
     "smtpd_reject_footer adds to each reply. The first line still has the new address.",
     "If the reply is to be as it was:\n${set}$ ${reload}"},
    {"error-limits", NOTE, OF_SERVER, has_narrow_limits, NULL,
     "Postfix waits a second before each reply after ${soft} refused recipients in a session, and after "
     "${hard} ends it with 421, for the good recipients too; the table has ${entries} entries. A list server that "
     "still has many of them has to connect again and again: that costs time, not mail.",
     "$ ${attach_limits}"},
    {"relocated-answers", FAULT, OF_REPLY, is_relocated, NULL,
     "relocated_maps answers before milter-moved: ${got}.",
     "Take ${recipient} out of the tables of relocated_maps: ${relocated}. Then:\n$ ${reload}"},
    {"relays-for-us", NOTE, OF_REPLY, relays_for_us, NULL,
     "${domain} is not served here, but clients in mynetworks, as we are, may send mail through this server "
     "to any domain.",
     ""},
    {"milter-maps", FAULT, OF_REPLY, is_passed_over, NULL,
     "smtpd_milter_maps chooses other milters for some clients, us perhaps; so attach gives the service no map for "
     "mailboxes that were removed.",
     "Ask as another client (--as); or let all clients have the same milters:\n${set}$ ${attach}\n$ ${reload}"},
    {"other-milter", FAULT, OF_REPLY, shows_no_milter, NULL,
     "Postfix does not reach one of its milters (${milters}): ${got}. milter-moved itself answers.",
     "Start that milter: the log of Postfix names it ('connect to Milter service'). Then, in case its settings "
     "changed:\n$ ${reload}"},
    {"lookup-failed", FAULT, OF_REPLY, shows_lookup_failure, NULL,
     "One of the tables that Postfix needs for this recipient cannot be asked: ${got}. milter-moved itself "
     "answers.",
     "Correct that table: the log of Postfix names it ('table lookup problem'). Then:\n$ ${reload}"},
    {NULL, NOTE, OF_SERVER, NULL, NULL, NULL, NULL},
};
/* clang-format on */

const struct specialist postfix_specialist = {
    .look = postfix_look,
    .look_free = postfix_look_free,
    .services = postfix_services_at,
    .classify = postfix_classify_domains,
    .tell = postfix_tell,
    .symptoms = symptoms,
};
