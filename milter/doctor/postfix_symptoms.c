/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/postfix_symptoms.c: what can be wrong with a Postfix: postconf(5), master(5) */
#include "doctor/postfix_view.h"
#include "mta/files.h"
#include "mta/postfix/postfix_ours.h"
#include "mta/postfix/postfix_socket.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct service *service_of(const struct exam *exam)
{
    const struct postfix_view *view = exam->view;
    return exam->service < 0 ? NULL : &view->services[exam->service];
}

static bool has_us(const struct exam *exam)
{
    struct postfix_milter us;
    return postfix_has_us(exam, &us);
}

/* Whether a list has the map listed. */
static bool has_listed(const char *list)
{
    const char *at = strstr(list, "socketmap:");
    return at != NULL && strstr(at, ":listed") != NULL;
}

/* What was put there by hand goes, so that attach can give the service its own: our milter; our maps. */
static bool drops_milter(struct exam *exam)
{
    return mend_drop(exam, postfix_is_our_milter, (const char *const[]){"smtpd_milters"}, 1);
}

static bool drops_maps(struct exam *exam)
{
    return mend_drop(exam, postfix_is_our_map, postfix_lists, POSTFIX_CLASSES);
}

/* ---- symptoms of the server */

static bool is_softened(struct exam *exam)
{
    return strcmp(postfix_of_service(exam, "soft_bounce"), "yes") == 0 &&
           mend_set(exam, "soft_bounce", "no");
}

static bool is_in_non_smtpd(struct exam *exam)
{
    static const char *const lists[] = {"smtpd_milters", "non_smtpd_milters"};
    struct postfix_milter milter;
    int service = exam->service;
    const char *list = postfix_of_server(exam, lists[1]);
    fact_set(&exam->facts, "non_smtpd", "%s", list);
    if (!postfix_find_us(exam, list, &milter))
        return false;
    exam->service = -1; /* the list may refer to smtpd_milters */
    drops_milter(exam);
    if (strstr(fact_get(&exam->facts, "drop"), lists[0]) == NULL ||
        strstr(list, "$smtpd_milters") != NULL)
        mend_drop(exam, postfix_is_our_milter, &lists[1], 1);
    exam->service = service;
    return true;
}

static bool has_footer(struct exam *exam)
{
    static const char *const names[] = {"smtpd_reject_footer", "smtpd_reject_footer_maps"};
    for (size_t i = 0; i < 2 && (exam->asked == NULL || reply_goes_on(exam)); i++)
        if (!postfix_is_blank(postfix_of_service(exam, names[i])))
            return mend_set(exam, names[i], "");
    return false;
}

static bool has_narrow_limits(struct exam *exam)
{
    long hard = atol(postfix_of_service(exam, "smtpd_hard_error_limit"));
    fact_set(&exam->facts, "hard", "%ld", hard);
    fact_set(&exam->facts, "soft", "%s", postfix_of_service(exam, "smtpd_soft_error_limit"));
    fact_set(&exam->facts, "entries", "%zu", exam->entries);
    return hard > 0 && (size_t)hard <= exam->entries;
}

static bool has_relocated(struct exam *exam)
{
    static const char *const list = "relocated_maps";
    return postfix_is_our_map(exam, postfix_of_server(exam, list)) &&
           mend_drop(exam, postfix_is_our_map, &list, 1);
}

/* Whether recipients are verified, unless those that are listed pass before. */
static bool verifies(struct exam *exam)
{
    static const char restriction[] = "reject_unverified_recipient";
    char words[PATH_MAX];
    for (size_t i = POSTFIX_CLASSES; i < POSTFIX_LISTS; i++) {
        const char *list = postfix_of_service(exam, postfix_lists[i]);
        const char *at = strstr(list, restriction), *passes = strstr(list, ":refused");
        if (at == NULL || (passes != NULL && passes < at))
            continue;
        snprintf(words, sizeof words, "check_recipient_access %s:refused",
                 fact_get(&exam->facts, "asked_at"));
        fact_set(&exam->facts, "list", "%s", postfix_lists[i]);
        if (!mend_insert(exam, postfix_lists[i], words, restriction))
            fact_set(&exam->facts, "set", "In its definition put '%s' before it.\n", words);
        return true;
    }
    return false;
}

/* The maps of the first class, from *kind on, that have the map listed. Returns their value, and *kind becomes
 * the class; or NULL. */
static const char *next_listed(const struct exam *exam, int *kind)
{
    for (; *kind < POSTFIX_CLASSES; ++*kind) {
        const char *list = postfix_of_service(exam, postfix_lists[*kind]);
        if (has_listed(list))
            return list;
    }
    return NULL;
}

/* proxymap(8) opens only what proxy_read_maps allows. */
static bool lacks_proxy_read(struct exam *exam)
{
    const char *list;
    for (int kind = 0; (list = next_listed(exam, &kind)) != NULL; kind++)
        if (strstr(list, "proxy:socketmap:") != NULL)
            return !has_listed(postfix_of_server(exam, "proxy_read_maps")) && drops_maps(exam);
    return false;
}

static bool may_not_look_up(struct exam *exam)
{
    const struct postfix_view *view = exam->view;
    return *view->lookups != '\0' && next_listed(exam, &(int){0}) != NULL &&
           exam_is_shut_out(exam, view->lookups, postfix_of_server(exam, "mail_owner"));
}

static bool looks_up_elsewhere(struct exam *exam)
{
    const struct postfix_view *view = exam->view;
    char name[PATH_MAX];
    const char *list;
    snprintf(name, sizeof name, "%s:listed", postfix_see_path(&view->postfix, view->lookups));
    for (int kind = 0; (list = next_listed(exam, &kind)) != NULL; kind++)
        if (strstr(list, name) == NULL) {
            fact_set(&exam->facts, "maps", "%s", postfix_lists[kind]);
            fact_set(&exam->facts, "maps_value", "%s", list);
            return drops_maps(exam);
        }
    return false;
}

/* Looks for what is ours in a file of the configuration: there names the first of it, and unknown what detach refuses to
 * take out. */
static void find_left(const struct postfix_view *view, const char *name, struct error *there,
                      struct error *unknown)
{
    char path[PATH_MAX];
    struct error err;
    struct cf cf = {.text = NULL};
    snprintf(path, sizeof path, "%s/%s", view->postfix.dir, name);
    char *text = file_read(path, &err);
    if (text != NULL && cf_read(&cf, text) == 0 &&
        ours_check_gone(&cf, path, view->lookups, there) != 0) {
        static const struct postconf unknown_defaults = {.count = 0};
        ours_strip(&cf, strcmp(name, "main.cf") == 0 ? &unknown_defaults : NULL);
        (void)ours_check_gone(&cf, path, view->lookups, unknown);
    }
    free(text);
    cf_free(&cf);
}

/* No service asks the milter, but something of ours is there. */
static bool leaves_ours_behind(struct exam *exam)
{
    const struct postfix_view *view = exam->view;
    struct error there = {.text = ""}, unknown = {.text = ""};
    bool asked = false;
    for (exam->service = 0; exam->service < exam->services && !asked; exam->service++)
        asked = has_us(exam);
    exam->service = exam->door;
    if (asked)
        return false;
    find_left(view, "master.cf", &there, &unknown);
    find_left(view, "main.cf", &there, &unknown);
    const struct error *found = *unknown.text == '\0' ? &there : &unknown;
    const char *end = strstr(found->text, " stands ");
    fact_set(&exam->facts, "left", "%.*s", end == NULL ? 0 : (int)(end - found->text), found->text);
    fact_set(&exam->facts, "by_hand", "%s",
             *unknown.text == '\0' ? "" : "Take it out there, with what belongs to it. Then:\n");
    return *there.text != '\0';
}

/* ---- of a service */

/* Of the service that was asked alone: another may have its milters switched off on purpose. */
static bool lacks_us(const struct exam *exam)
{
    return exam->service == exam->door && !has_us(exam);
}

/* attach leaves it alone. */
static bool has_milters_off(struct exam *exam)
{
    static const char override[] = "receive_override_options";
    const struct service *service = service_of(exam);
    if (service == NULL || service->attached || !lacks_us(exam))
        return false;
    fact_set(&exam->facts, "exempt", "%s", service->why);
    bool off = strstr(postfix_of_service(exam, override), "no_milters") != NULL;
    return mend_set(exam, off ? override : "smtpd_milters", "");
}

static bool is_not_attached(struct exam *exam)
{
    const struct service *service = service_of(exam);
    return service != NULL && service->attached && lacks_us(exam);
}

static bool is_out_of_chroot(struct exam *exam)
{
    const struct postfix_view *view = exam->view;
    const struct service *service = service_of(exam);
    return service != NULL && service->chroot && has_us(exam) &&
           postfix_is_out_of_chroot(&view->postfix, exam->settings->socket) && drops_milter(exam);
}

static bool is_elsewhere(struct exam *exam)
{
    struct postfix_milter us;
    if (!postfix_has_us(exam, &us) || us.is_exact)
        return false;
    fact_set(&exam->facts, "address", "%s", us.address);
    return drops_milter(exam);
}

static bool may_not_connect(struct exam *exam)
{
    const struct postfix_view *view = exam->view;
    return view->milter.kind == ENDPOINT_UNIX && has_us(exam) &&
           exam_is_shut_out(exam, view->milter.name, postfix_of_server(exam, "mail_owner"));
}

/* What smtpd does if it does not reach us. */
static bool has_other_default(struct exam *exam)
{
    static const char key[] = "default_action";
    struct postfix_milter us;
    char action[32] = "";
    if (!postfix_has_us(exam, &us))
        return false;
    const char *own = strstr(us.options, key);
    const char *value =
        own == NULL ? postfix_of_service(exam, "milter_default_action") : own + strlen(key);
    (void)sscanf(value + strspn(value, " ="), "%31[^, }]", action);
    fact_set(&exam->facts, "action", "%s", action);
    return strcmp(action, "tempfail") != 0 && drops_milter(exam);
}

/* It asks a map of ours, and not the milter. */
static bool asks_map_alone(struct exam *exam)
{
    return exam->service >= 0 && !has_us(exam) &&
           (postfix_asks(exam, ":listed") || postfix_asks(exam, ":refused")) &&
           mend_drop(exam, postfix_is_our_map, postfix_lists, POSTFIX_LISTS);
}

/* "pipemap:{$moved_listed, static:OK}" with nothing in place of the first map. */
static bool is_open_pipe(const struct exam *exam, const char *item)
{
    (void)exam;
    return strncmp(item, "pipemap:{", 9) == 0 && strstr(item, "moved_") != NULL;
}

/* A pipemap of its restrictions has lost its first map, and says OK to every recipient. */
static bool permits_all(struct exam *exam)
{
    for (size_t i = POSTFIX_CLASSES; i < POSTFIX_LISTS; i++)
        if (strstr(postfix_of_service(exam, postfix_lists[i]), "pipemap:{,") != NULL) {
            fact_set(&exam->facts, "list", "%s", postfix_lists[i]);
            return mend_drop(exam, is_open_pipe, postfix_lists + POSTFIX_CLASSES,
                             POSTFIX_LISTS - POSTFIX_CLASSES);
        }
    return false;
}

/* ---- of a domain */

/* Where nothing refuses to relay by these words, as on a port for those who log in, attach has no place for its map. */
static bool is_unserved(struct exam *exam)
{
    return exam->domain != NULL && postfix_class_of(exam) == POSTFIX_NONE && exam->service >= 0 &&
           !postfix_asks(exam, ":refused") && postfix_asks(exam, "auth_destination");
}

/* attach then leaves the maps out: a client that has other milters could send to removed mailboxes. */
static bool has_milter_maps(const struct exam *exam)
{
    return !postfix_is_blank(postfix_of_service(exam, "smtpd_milter_maps"));
}

/* The maps of a class that are empty know every recipient, except virtual alias maps, which then know none. A
 * recipient that virtual alias maps know is known whatever its class. */
static bool lacks_listed(struct exam *exam)
{
    enum postfix_class kind = postfix_class_of(exam);
    const char *list = postfix_of_service(exam, postfix_maps_of(exam));
    return kind != POSTFIX_NONE && has_us(exam) && !has_milter_maps(exam) &&
           (!postfix_is_blank(list) || kind == POSTFIX_ALIAS) && !has_listed(list) &&
           !has_listed(postfix_of_service(exam, postfix_lists[POSTFIX_ALIAS])) &&
           *exam->settings->lookup_socket != '\0' &&
           (service_of(exam) == NULL || service_of(exam)->attached);
}

static bool has_listed_alone(struct exam *exam)
{
    const char *list = postfix_of_service(exam, postfix_maps_of(exam));
    return postfix_class_of(exam) != POSTFIX_ALIAS && has_listed(list) &&
           strpbrk(list + strspn(list, ", "), ", ") == NULL && drops_maps(exam);
}

/* Other programs than smtpd read the maps of these classes. */
static bool has_listed_for_all(struct exam *exam)
{
    enum postfix_class kind = postfix_class_of(exam);
    return (kind == POSTFIX_VIRTUAL || kind == POSTFIX_ALIAS) &&
           has_listed(postfix_of_server(exam, postfix_maps_of(exam))) && drops_maps(exam);
}

/* ---- of a reply alone */

/* A stranger may send to a domain that nobody serves. */
static bool relays_for_strangers(struct exam *exam)
{
    static const char key[] = "mynetworks";
    struct network network;
    struct error err;
    const char *at = postfix_of_service(exam, key), *item;
    mend_set(exam, "smtpd_relay_restrictions",
             "permit_mynetworks permit_sasl_authenticated reject_unauth_destination");
    for (size_t length; (item = postfix_item(&at, &length)) != NULL;) {
        char text[64];
        snprintf(text, sizeof text, "%.*s", (int)length, item);
        if (network_parse(&network, text, &err) == 0 &&
            network_contains(&network, 1, &doctor_stranger))
            mend_set(exam, key, "127.0.0.0/8 [::1]/128");
    }
    return true;
}

/* The map then answers TEMP. */
static bool lacks_table(struct exam *exam)
{
    return *exam->daemon.table != '\0' && strcmp(exam->daemon.table, "good") != 0;
}

static bool is_passed_over(struct exam *exam)
{
    return has_milter_maps(exam) && mend_set(exam, "smtpd_milter_maps", "");
}

static bool relays_for_us(struct exam *exam)
{
    return exam->asked->invented && postfix_class_of(exam) == POSTFIX_NONE;
}

/* Replies. The map listed without the milter says yes while some other session is open, and TEMP just after the daemon's
 * start. */
#define NO_US          "^2|user unknown"
#define LOOKUP_FAILURE "^4.*lookup failure"
#define MAP_ALONE      NO_US "|" LOOKUP_FAILURE
#define NO_MILTER      "^4.*service unavailable"

/* clang-format off */
static const struct symptom symptoms[] = {
    {"open-relay", FAULT, OF_REPLY, relays_for_strangers, ANY_REPLY, IF_ABROAD | IF_VIEW,
     "DANGEROUS: the service ${service} takes mail of a stranger (${stranger}) to a domain that nobody serves: "
     "${got}. It relays for everybody.",
     "${set}$ ${reload}"},
    {"empty-pipemap", FAULT, OF_SERVICE, permits_all, NULL, 0,
     "DANGEROUS: ${list} of the service ${service} has a pipemap whose first map is gone: the rest of it permits every "
     "recipient, perhaps those of other servers too.",
     "${drop}$ ${reload}"},
    {"listed-without-milter", FAULT, OF_SERVICE, asks_map_alone, MAP_ALONE, IF_OURS,
     "DANGEROUS: the service ${service} asks a map of milter-moved, but not its milter: while another session with "
     "the milter is open it accepts mail for mailboxes that are gone, and bounces it later.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"milters-off", FAULT, OF_SERVICE, has_milters_off, NO_US, IF_OURS,
     "The service ${service}, which listens there, has ${exempt}: attach leaves it alone.",
     "If strangers' mail arrives at another port, ask that one: --smtp HOST:PORT. If it arrives here:\n"
     "${set}$ ${attach}"},
    {"not-attached", FAULT, OF_SERVICE, is_not_attached, NO_US, IF_OURS,
     "The service ${service}, which listens there, has no milter-moved in its smtpd_milters (${milters}).",
     "$ ${attach}"},
    {"left-behind", FAULT, OF_SERVER, leaves_ours_behind, NULL, 0,
     "No service asks milter-moved, and the configuration still has ${left}.",
     "${by_hand}To have nothing of it:\n$ ${detach}"},
    {"socket-out-of-chroot", FAULT, OF_SERVICE, is_out_of_chroot, NO_MILTER, IF_MILTER,
     "The service ${service} is confined to ${queue} (chroot in ${master}), and milter-moved listens outside "
     "of it: ${socket}.",
     "${drop}attach moves the sockets. Where systemd does not run milter-moved it needs two runs:\n"
     "$ ${attach}\n${restart_daemon}\n$ ${attach}"},
    {"socket-elsewhere", FAULT, OF_SERVICE, is_elsewhere, NO_MILTER, IF_MILTER,
     "The service ${service} looks for milter-moved at ${address}, but it listens on ${socket}.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"socket-access", FAULT, OF_SERVICE, may_not_connect, NO_MILTER, IF_MILTER,
     "smtpd cannot open the milter's socket: ${stops}.",
     "${let}"},
    {"default-action", FAULT, OF_SERVICE, has_other_default, "^2|service unavailable|5\\.5\\.0", 0,
     "While milter-moved is down the service ${service} does '${action}', and not tempfail.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"unserved", FAULT, OF_DOMAIN, is_unserved, DENIES_RELAY, 0,
     "Postfix no longer accepts mail for ${domain}: a stranger gets 'Relay access denied', and not the new "
     "address.",
     "$ ${attach_unserved}"},
    {"listed-missing", FAULT, OF_DOMAIN, lacks_listed, "^[45].*user unknown", IF_LISTED,
     "${domain} is of class ${class}, and the service ${service} does not ask the map listed for it (${maps} "
     "= ${maps_value}): a mailbox that was removed is unknown, and no milter is asked.",
     "$ ${attach}"},
    {"listed-alone", FAULT, OF_DOMAIN, has_listed_alone, NULL, 0,
     "${maps} has the map listed alone: all other mailboxes of class ${class} are unknown.",
     "Without it the list is empty: every recipient is accepted, and the milter is asked.\n"
     "${drop}$ ${attach}\n$ ${reload}"},
    {"listed-for-all", FAULT, OF_DOMAIN, has_listed_for_all, NULL, 0,
     "${maps} has the map listed in main.cf, where other programs than smtpd read it too: they would deliver "
     "to what they find there, or wait for it.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"daemon-table", FAULT, OF_REPLY, lacks_table, LOOKUP_FAILURE, IF_LOOKUPS, DAEMON_TABLE_WHY, DAEMON_TABLE_MEND},
    {"proxy-read-maps", FAULT, OF_SERVER, lacks_proxy_read, LOOKUP_FAILURE, IF_LOOKUPS,
     "proxymap may not open the map listed: it is not in proxy_read_maps.",
     "attach needs no proxymap.\n${drop}$ ${attach}\n$ ${reload}"},
    {"lookup-access", FAULT, OF_SERVER, may_not_look_up, LOOKUP_FAILURE, IF_LOOKUPS,
     "Postfix cannot open the lookup socket: ${stops}.",
     "${let}"},
    {"lookup-elsewhere", FAULT, OF_SERVER, looks_up_elsewhere, LOOKUP_FAILURE, IF_LOOKUPS,
     "${maps} = ${maps_value} looks for the map listed elsewhere than at ${lookups}, where milter-moved listens.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"soft-bounce", FAULT, OF_SERVER, is_softened, "^4", 0,
     "soft_bounce = yes: every permanent refusal becomes a temporary one, so senders retry for days and are "
     "never told the new address.",
     "${set}$ ${reload}"},
    {"recipients-verified", FAULT, OF_SERVER, verifies, VERIFIES, 0,
     "${list} has reject_unverified_recipient: Postfix probes the destination of the mailbox before any milter is "
     "asked, and a mailbox that was removed is not there.",
     "What milter-moved refuses passes before it. detach will ask for this to be taken out again.\n"
     "${set}$ ${reload}"},
    {"non-smtpd-milters", FAULT, OF_SERVER, is_in_non_smtpd, NULL, 0,
     "non_smtpd_milters = ${non_smtpd} has milter-moved: nothing can be refused there, and mail of "
     "sendmail(1) and cron waits while milter-moved is down.",
     "${drop}$ ${attach}\n$ ${reload}"},
    {"relocated-maps", NOTE, OF_SERVER, has_relocated, NULL, 0,
     "relocated_maps asks milter-moved too: it answers 550 without limits, where the milter would answer 551.",
     "The map is for hosts without the milter.\n${drop}$ ${reload}"},
    {"reject-footer", NOTE, OF_SERVER, has_footer, ANY_REPLY, 0,
     "smtpd_reject_footer adds to each reply. The first line still has the new address.",
     "If the reply is to be as it was:\n${set}$ ${reload}"},
    {"error-limits", NOTE, OF_SERVER, has_narrow_limits, NULL, 0,
     "Postfix waits a second before each reply after ${soft} refused recipients in a session, and after "
     "${hard} ends it with 421, for the good recipients too; the table has ${entries} entries. A list server that "
     "still has many of them has to connect again and again: that costs time, not mail.",
     "$ ${attach_limits}"},
    {"relocated-answers", FAULT, OF_REPLY, NULL, "user has moved to", 0,
     "relocated_maps answers before milter-moved: ${got}.",
     "Take ${recipient} out of the tables of relocated_maps: ${relocated}. Then:\n$ ${reload}"},
    {"relays-for-us", NOTE, OF_REPLY, relays_for_us, "^2", 0,
     "${domain} is not served here, but clients in mynetworks, as we are, may send mail through this server "
     "to any domain.",
     ""},
    {"milter-maps", FAULT, OF_REPLY, is_passed_over, MAP_ALONE, IF_LISTED,
     "smtpd_milter_maps chooses other milters for some clients, us perhaps; so attach gives the service no map for "
     "mailboxes that were removed.",
     "Ask as another client (--as); or let all clients have the same milters:\n${set}$ ${attach}\n$ ${reload}"},
    {"other-milter", FAULT, OF_REPLY, NULL, NO_MILTER, IF_MILTER,
     "Postfix does not reach one of its milters (${milters}): ${got}. milter-moved itself answers.",
     "Start that milter: the log of Postfix names it ('connect to Milter service'). Then, in case its settings "
     "changed:\n$ ${reload}"},
    {"lookup-failed", FAULT, OF_REPLY, NULL, LOOKUP_FAILURE, IF_LOOKUPS,
     "One of the tables that Postfix needs for this recipient cannot be asked: ${got}. milter-moved itself "
     "answers.",
     "Correct that table: the log of Postfix names it ('table lookup problem'). Then:\n$ ${reload}"},
    {.name = NULL},
};
/* clang-format on */

const struct specialist postfix_specialist = {
    .look = postfix_look,
    .look_free = postfix_look_free,
    .classify = postfix_classify_domains,
    .tell = postfix_tell,
    .symptoms = symptoms,
};
