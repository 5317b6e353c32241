/* Forms: the first error has the focus, and what Django's scripts draw is named for screen readers. */
"use strict";

(() => {
    const wrong = document.querySelector("#content [aria-invalid=true]");
    const words = [...document.querySelectorAll(".errorlist, .errornote, .messagelist .error")].find(
        (one) => one.getClientRects().length,
    );
    const list = document.querySelector("#content .errorlist:not(.nonfield)");
    const row = list && list.closest(".field, .form-row, fieldset, form");
    const field = wrong || (row && row.querySelector("input:not([type=hidden]), select, textarea"));
    if (!field && words) words.tabIndex = -1; // the error of no field has the focus itself
    const first = field || words;
    if (first) {
        first.focus();
        window.addEventListener("load", () => first.focus()); // Django's script for adding takes it to the first field
    }

    function name() {
        document.querySelectorAll("select.admin-autocomplete").forEach((select) => {
            const label = document.querySelector(`label[for="${select.id}"]`);
            const shown = document.getElementById(`select2-${select.id}-container`);
            if (!label || !shown) return;
            label.id = label.id || `${select.id}_label`;
            shown.setAttribute("aria-labelledby", label.id);
            shown.closest("[role=combobox]").setAttribute("aria-labelledby", `${label.id} ${shown.id}`);
        });
        document.querySelectorAll(".help-tooltip[aria-label]").forEach((icon) => icon.setAttribute("role", "img"));
    }

    // Django's boxes are drawn when the page is loaded, or by jQuery, which waits a little longer.
    window.addEventListener("load", () => (window.django?.jQuery ? window.django.jQuery(name) : name()));
})();
