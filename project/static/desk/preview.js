/* The preview beside the list of orders: opened by a row's number, gone through with J and K, closed with Escape. The
   address names the order, so that it can be reloaded and sent. Without this script a row's number opens its page. */
"use strict";

(() => {
    const WIDE = window.matchMedia("(min-width: 1024px)"); // below it a row opens its page
    const MENUS = ".filter[open], .order-menu[open], .find-results:not([hidden])";
    const FIRST = "#first", LAST = "#last"; // the row of a page that was come to by J or K
    let asked = "";

    const links = () => [...document.querySelectorAll("#result_list tbody th a")];
    const idOf = (link) => link.pathname.match(/\/(\d+)\/change\/$/)?.[1] ?? "";
    const shown = () => new URL(location.href).searchParams.get("preview") ?? "";
    let place = links().findIndex((link) => idOf(link) === shown());

    /* The page puts rows in place anew while it is open (moving.js). */
    function mark() {
        links().forEach((link) => {
            link.dataset.preview = link.pathname.replace("/change/", "/preview/") + link.search;
            if (idOf(link) === shown()) link.setAttribute("aria-current", "true");
            else link.removeAttribute("aria-current");
        });
        const now = links().findIndex((link) => idOf(link) === shown());
        if (now >= 0) place = now; // a row that has left the list leaves its place
    }

    function name(id) {
        const address = new URL(location.href);
        address.searchParams.delete("preview");
        if (id) address.searchParams.set("preview", id);
        address.hash = "";
        history.replaceState(history.state, "", address);
        mark();
    }

    async function open(link) {
        const id = asked = idOf(link);
        const answer = await fetch(link.dataset.preview, { redirect: "manual" }).catch(() => null);
        const text = answer?.ok ? await answer.text() : "";
        if (asked !== id) return; // another was asked for meanwhile
        asked = "";
        if (!answer) return; // the desk is away, as the list says
        if (!text) return location.assign(link.href); // that page says why
        const panel = document.getElementById("previewed");
        panel.innerHTML = text; // ours, escaped by the template
        panel.parentElement.scrollTop = 0;
        name(id);
    }

    function close() {
        asked = "";
        document.getElementById("previewed").replaceChildren();
        const link = links().find((one) => idOf(one) === shown());
        name("");
        link?.focus();
    }

    /* The list's next page opens its first row, the one before its last. */
    function turnPage(step) {
        const now = document.querySelector(".paginator .this-page");
        const link = step > 0 ? now?.nextElementSibling : now?.previousElementSibling;
        if (!link?.href) return;
        const address = new URL(link.href);
        address.searchParams.delete("preview");
        address.hash = step > 0 ? FIRST : LAST;
        location.assign(address);
    }

    document.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
        const link = event.target.closest("[data-preview]");
        if (link && WIDE.matches && idOf(link) !== shown()) {
            event.preventDefault();
            open(link);
        } else if (event.target.closest(".preview-close")) {
            event.preventDefault();
            close();
        }
    });

    /* Before other keys of the list: they see J and K only while there is no preview. */
    document.addEventListener("keydown", (event) => {
        if (!shown() || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.isComposing) return;
        if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
        if (event.key === "Escape" && !document.querySelector(MENUS)) return close();
        const step = { j: 1, k: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        const link = links()[place + step];
        if (!link) return turnPage(step);
        place = links().indexOf(link);
        link.focus();
        open(link);
    }, true);

    mark();
    if ([FIRST, LAST].includes(location.hash) && WIDE.matches) {
        const link = links().at(location.hash === FIRST ? 0 : -1);
        if (link) {
            link.focus();
            open(link);
        }
    }
    document.addEventListener("desk:moved", mark);
})();
