/* Says that the session ends soon, in all tabs alike. What was typed outlives a log-in that ends, but no log-out.
   A click without a connection says so, and the page stays. */
"use strict";

(() => {
    const NEAR = 120 * 1000;
    const ENDS = "desk-session";
    const OUT = "desk-logged-out";
    const note = document.getElementById("session");

    function clearDrafts() {
        Object.keys(sessionStorage).filter((key) => key.startsWith("draft:")).forEach((key) => sessionStorage.removeItem(key));
    }

    if (document.getElementById("logged-out")) {
        clearDrafts();
        localStorage.setItem(OUT, String(Date.now()));
    }

    /* Keeps what is typed in this tab until a form is accepted: for an hour, and for this account alone. Reasons and
       notes come back whenever their page is opened. Whole forms come back after a log-in only, and the page says so,
       since somebody else may have changed the row meanwhile. Neither passwords nor codes are kept. */
    const KEPT = 3600 * 1000;
    const DOOR = "desk-door";
    const NEVER = "[type=hidden], [type=password], [type=file], [type=submit], [type=button], [autocomplete=one-time-code]";
    const FIELDS = `form[method=post]:not(#changelist-form) :is(textarea, input:not(${NEVER}), select:not([multiple]))`;

    const isTick = (field) => field.matches("[type=checkbox], [type=radio]");
    const valueOf = (field) => (isTick(field) ? String(field.checked) : field.value);

    function keyOf(field) {
        const path = `draft:${note?.dataset.account}:${location.pathname}:${field.name}`;
        return isTick(field) ? `${path}=${field.value}` : path;
    }

    function keepDraft(field) {
        sessionStorage.setItem(keyOf(field), JSON.stringify({ text: valueOf(field), at: Date.now() }));
    }

    function readDraft(field) {
        const { text, at } = JSON.parse(sessionStorage.getItem(keyOf(field)) || "{}");
        return Date.now() - at < KEPT ? text : undefined;
    }

    /* Whether the field has what was typed, and had not before. */
    function putDraft(field) {
        const text = readDraft(field);
        if (text === undefined || text === valueOf(field)) return false;
        if (isTick(field)) field.checked = text === "true";
        else if (!field.options || [...field.options].some((one) => one.value === text)) field.value = text;
        if (valueOf(field) !== text) return false;
        field.dispatchEvent(new Event("change", { bubbles: true }));
        return true;
    }

    document.querySelectorAll("[data-draft]").forEach((field) => {
        if (field.value) keepDraft(field);
        else putDraft(field);
    });
    document.addEventListener("input", ({ target }) => {
        if (note && target.name && target.matches(`[data-draft], ${FIELDS}`)) keepDraft(target);
    });
    if (document.querySelector("#login-form")) sessionStorage.setItem(DOOR, "passed");
    else if (note && sessionStorage.getItem(DOOR)) {
        sessionStorage.removeItem(DOOR);
        const back = [...document.querySelectorAll(FIELDS)].filter((field) => field.name && putDraft(field));
        document.getElementById("came-back").hidden = !back.length;
    }

    if (document.querySelector(".messagelist .success, .messagelist .info")) clearDrafts();

    let ends = {};

    function show() {
        const [why, at] = Object.entries(ends).sort((one, other) => one[1] - other[1])[0] || ["", Infinity];
        note.hidden = at - Date.now() > NEAR;
        note.querySelectorAll("[data-why]").forEach((words) => { words.hidden = words.dataset.why !== why; });
    }

    function setEnds(found) {
        ends = found;
        localStorage.setItem(ENDS, JSON.stringify(ends));
        show();
    }

    addEventListener("storage", (event) => {
        if (event.key === OUT) clearDrafts();
        if (note && event.key === ENDS && event.newValue) ends = JSON.parse(event.newValue);
    });
    if (!note) return;
    const shown = ["idle", "hours"].filter((why) => note.dataset[why]);
    setEnds(Object.fromEntries(shown.map((why) => [why, Date.now() + note.dataset[why] * 1000])));
    setInterval(show, 1000);
    /* A browser that calls itself offline may still reach a desk on its own machine: so this is tried. */
    const offline = document.getElementById("offline");
    let tried = false;

    async function goOn(event) {
        if (navigator.onLine || tried) return;
        const link = event.type === "click" && event.target.closest("a[href]:not([href^='#'])");
        if (event.type === "click" && !link) return;
        event.preventDefault();
        event.stopPropagation();
        const answer = await fetch(note.dataset.stay, { cache: "no-store" }).catch(() => null);
        offline.hidden = Boolean(answer);
        if (!answer) return;
        tried = true;
        if (link) link.click();
        else event.target.requestSubmit(event.submitter);
        tried = false;
    }

    ["click", "submit"].forEach((kind) => document.addEventListener(kind, goOn, true));
    addEventListener("online", () => { offline.hidden = true; });
    note.querySelector("button").addEventListener("click", async () => {
        const answer = await fetch(note.dataset.stay, { cache: "no-store" }).catch(() => null);
        if (answer && answer.ok && !answer.redirected) setEnds({ ...ends, idle: Date.now() + note.dataset.period * 1000 });
    });
})();
