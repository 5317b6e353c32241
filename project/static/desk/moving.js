/* Live pages: asks the page's own address whether anything changed, and lets htmx put the new content in place.
   What is typed, ticked, open, focused and scrolled stays. Without this script a page stays as it was loaded. */
"use strict";

(() => {
    const note = document.getElementById("moving");
    const content = document.getElementById("content");
    if (!note || !content || !window.htmx) return;
    const CALM = 15, WRITING = 3, LONGEST = 60, TIMEOUT = 20, HELD = 2; // seconds
    const title = document.title;
    const door = note.querySelector("[data-why=door] a");
    let version = note.dataset.version;
    let pace = Number(note.dataset.pace);
    let failures = 0;
    let timer, asking = false, kept = "";

    /* A form in which somebody has typed or chosen, or is about to, is left alone. Ticks of rows go with their rows. */
    const FIELDS = "input:not([type=hidden], [type=submit], [type=button], [name=pick]), select, textarea";
    const AROUND = "#changelist-form, form[id$=_form]"; // around whole pages

    function isTouched(field) {
        if (field === document.activeElement) return true;
        if (field.matches("select")) return [...field.options].some((one) => one.selected !== one.defaultSelected);
        if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
        return field.value !== field.defaultValue;
    }

    const touched = (root) => [...root.querySelectorAll(FIELDS)].filter((field) => field.name && isTouched(field));

    function isLeftAlone(node) {
        if (node.matches("[data-stays]")) return true;
        if (node.matches("form")) return !node.matches(AROUND) && touched(node).length > 0;
        return node.matches(FIELDS) && isTouched(node);
    }

    function nameForms(root) {
        root.querySelectorAll("form:not([id])").forEach((form) => {
            const acts = [form, ...form.querySelectorAll("[formaction]")];
            const leads = acts.map((one) => one.getAttribute("action") || one.getAttribute("formaction")).find(Boolean);
            if (leads && !root.querySelector(`[id="form-${CSS.escape(leads)}"]`)) form.id = `form-${leads}`;
        });
    }

    function refuse() {
        throw new Error("no code from attributes");
    }

    htmx.registerExtension("desk", {
        init: (inner) => inner.initSecurity(null, refuse, refuse),
        htmx_before_morph_node: (node) => !(node instanceof Element && isLeftAlone(node)),
    });

    /* A row is the same one wherever it stands: it is named by its tick, or by where it leads. */
    function nameRows(root) {
        const known = new Set();
        root.querySelectorAll("#result_list tbody tr").forEach((row) => {
            const tick = row.querySelector("input[name=pick]");
            const name = tick ? tick.value : row.querySelector("a[href]")?.getAttribute("href").split("?")[0];
            if (name && !known.has(name)) row.id = `row-${name}`;
            known.add(name);
        });
    }

    function show(why) {
        note.querySelectorAll("[data-why]").forEach((words) => { words.hidden = words.dataset.why !== why; });
        note.hidden = !why;
    }

    function count(needing) {
        const words = needing > Number(note.dataset.most) - 1 ? `${needing - 1}+` : needing;
        document.title = Number(needing) ? `（${words}）${title}` : title;
    }

    function countUnread(words) {
        const inbox = document.getElementById("inbox");
        if (!inbox) return;
        inbox.querySelector(".unread-count")?.remove();
        if (words) inbox.append(Object.assign(document.createElement("span"), { className: "unread-count", textContent: words }));
    }

    /* A press is a click only if what was pressed is there at its release: until then nothing is put in place. The
       click follows the release at once. */
    let pressed = null, release = () => {};
    document.addEventListener("pointerdown", () => {
        release();
        const press = new Promise((over) => {
            release = () => setTimeout(over);
            setTimeout(over, HELD * 1000);
        }).then(() => { if (pressed === press) pressed = null; });
        pressed = press;
    }, true);
    ["pointerup", "pointercancel"].forEach((end) => document.addEventListener(end, () => release(), true));

    async function put(text) {
        while (pressed) await pressed;
        const found = new DOMParser().parseFromString(text, "text/html").getElementById("content");
        if (!found) return "";
        const names = touched(content).map((field) => CSS.escape(field.name));
        if (names.some((name) => !found.querySelector(`[name="${name}"]`))) return "changed"; // its form is gone
        [content, found].forEach((root) => { nameRows(root); nameForms(root); });
        await htmx.swap({ sourceElement: content, target: content, text: found.innerHTML, swap: "innerMorph" });
        document.dispatchEvent(new CustomEvent("desk:moved"));
        return "";
    }

    function address() {
        const asked = new URL(location.href);
        asked.hash = "";
        asked.searchParams.append("seen", version); // behind a filter of that name
        if (note.dataset.opened) asked.searchParams.append("opened", note.dataset.opened);
        return asked;
    }

    async function take(answer) {
        if (answer.status === 401) {
            if (new URL(location.href).searchParams.has("personal")) location.reload(); // nobody is in any more
            door.href = answer.headers.get("Desk-Door");
            return "door";
        }
        if (answer.status === 403 || answer.status === 404) location.reload(); // the page itself says why
        if (!answer.ok || !answer.headers.get("Desk-Version")) throw new Error(answer.status);
        const held = answer.status === 200 ? await put(await answer.text()) : kept;
        version = answer.headers.get("Desk-Version");
        pace = Number(answer.headers.get("Desk-Pace"));
        count(Number(answer.headers.get("Desk-Needing")));
        countUnread(answer.headers.get("Desk-Unread"));
        kept = held;
        return held;
    }

    async function ask() {
        if (asking) return;
        asking = true;
        try {
            const answer = await fetch(address(), {
                headers: { "Desk-Poll": "1" },
                cache: "no-store",
                redirect: "error",
                signal: AbortSignal.timeout(TIMEOUT * 1000),
            });
            show(await take(answer));
            failures = 0;
        } catch {
            failures += 1;
            if (failures > 1) show("away");
        }
        asking = false;
        plan();
    }

    /* Hidden pages are in no hurry; who fills in a form learns soon that a colleague was quicker. A desk that is away is asked less and less, and not by all at the same moment. */
    function plan() {
        clearTimeout(timer);
        const writes = [...content.querySelectorAll("form[method=post]")].some(isLeftAlone);
        const calm = document.hidden || !note.hidden ? CALM : Math.min(pace, writes ? WRITING : CALM);
        const wait = failures ? Math.min(LONGEST, Math.max(1, pace) * 2 ** (failures - 1)) : calm;
        timer = setTimeout(ask, wait * 1000 * (failures ? 0.5 + Math.random() : 1));
    }

    document.addEventListener("visibilitychange", () => {
        if (document.hidden) plan();
        else ask();
    });
    count(Number(note.dataset.needing));
    plan();
})();
