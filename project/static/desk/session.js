/* Says that the session ends soon, in all tabs alike, and clears what was typed at the log-out. */
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
    note.querySelector("button").addEventListener("click", async () => {
        const answer = await fetch(note.dataset.stay, { cache: "no-store" }).catch(() => null);
        if (answer && answer.ok && !answer.redirected) setEnds({ ...ends, idle: Date.now() + note.dataset.period * 1000 });
    });
})();
