// What the pages decide in the browser: the theme, and how the address and the controls follow each other.
(function () {
    "use strict";
    var root = document.documentElement;
    var dark = window.matchMedia("(prefers-color-scheme: dark)");
    var narrow = window.matchMedia("(max-width: 700px)");
    var TITLES = {"/": "Overview", "/forecast": "Capacity forecast", "/incidents": "Incidents"};
    var WORDS = {auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark"};

    function choice() {
        return root.getAttribute("data-theme") || "auto";
    }

    // What the legends hide, as "chart/line"; kept while the page is open.
    var hidden = [];

    function look() {
        var chosen = choice();
        var mode = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
        return {mode: mode, narrow: narrow.matches, hidden: hidden, ready: true};
    }

    function turn() {
        var next = {auto: "light", light: "dark", dark: "auto"}[choice()];
        if (next === "auto") { root.removeAttribute("data-theme"); } else { root.setAttribute("data-theme", next); }
        try { window.localStorage.setItem("tpscope-theme", next); } catch (error) { /* private window: kept for this page only */ }
    }

    function tell() {
        if (window.dash_clientside && window.dash_clientside.set_props) {
            window.dash_clientside.set_props("look", {data: look()});
        }
    }
    dark.addEventListener("change", tell);
    narrow.addEventListener("change", tell);

    document.addEventListener("click", function (event) {
        var item = event.target.closest ? event.target.closest(".legend-item") : null;
        if (!item) { return; }
        var key = item.getAttribute("data-key");
        hidden = hidden.indexOf(key) < 0 ? hidden.concat([key]) : hidden.filter(function (one) { return one !== key; });
        tell();
    });

    function ours(search) {
        return new URLSearchParams(search || "");
    }

    function written(query) {
        var text = query.toString();
        return text ? "?" + text : "";
    }

    window.dash_clientside = window.dash_clientside || {};
    window.dash_clientside.tpscope = {
        // Button → look of the page, for figures.
        theme: function (clicks) {
            var context = window.dash_clientside.callback_context;
            if (clicks && context.triggered_id === "theme-button") { turn(); }
            return [look(), WORDS[choice()]];
        },

        // Which page of the navigation is open.
        nav: function (pathname, ids) {
            document.title = (TITLES[pathname] || "No such page") + " · tpscope";
            return ids.map(function (id) {
                return id.path === pathname ? "open" : "";
            });
        },

        // A span that was dragged open on a chart; other changes of a layout stay here.
        dragged: function () {
            var changes = window.dash_clientside.callback_context.triggered.map(function (one) { return one.value; });
            var drag = changes.filter(function (one) { return one && one["xaxis.range[0]"]; })[0];
            return drag || window.dash_clientside.no_update;
        },

        // Forecast's choices → address. Not an output, because the address leads to the choices as well.
        choose: function (values, ids, search) {
            var query = ours(search);
            ids.forEach(function (id, index) {
                if (values[index]) { query.set(id.part, values[index]); }
            });
            var asked = ours(search);
            var changed = ids.some(function (id) { return asked.has(id.part) && asked.get(id.part) !== query.get(id.part); });
            var added = ids.some(function (id) { return !asked.has(id.part) && query.has(id.part); });
            if (changed || (added && window.dash_clientside.callback_context.triggered.length === 1)) {
                window.dash_clientside.set_props("url", {search: written(query)});
            }
        },

        // Address ↔ filters and window buttons of the overview. Whoever changed leads.
        controls: function (search, values, ids, windows) {
            var none = window.dash_clientside.no_update;
            var context = window.dash_clientside.callback_context;
            var triggered = context.triggered_id;
            var query = ours(search);
            var newSearch = none;
            var newValues = values.map(function () { return none; });
            if (triggered && triggered.type === "filter") {
                ids.forEach(function (id, index) {
                    if (values[index]) { query.set(id.dim, values[index]); } else { query.delete(id.dim); }
                });
                if (written(query) !== written(ours(search))) { newSearch = written(query); }
            } else {
                newValues = ids.map(function (id, index) {
                    var asked = query.get(id.dim) || null;
                    return asked === (values[index] || null) ? none : asked;
                });
            }
            var open = query.get("last") || (query.get("from") ? "" : "6h");
            var links = windows.map(function (id) {
                var target = new URLSearchParams(query);
                target.delete("from");
                target.delete("to");
                target.set("last", id.last);
                return "/" + written(target);
            });
            var classes = windows.map(function (id) {
                return id.last === open ? "segment open" : "segment";
            });
            return [newSearch, newValues, links, classes];
        }
    };
})();

// A login that has ended: what a page asks for is refused, and the page leads to the login instead of standing still.
(function () {
    "use strict";
    var send = window.fetch;
    window.fetch = function () {
        return send.apply(this, arguments).then(function (answer) {
            if (answer.status === 401 && answer.url.indexOf(window.location.origin + "/") === 0) {
                var here = window.location.pathname + window.location.search;
                window.location.assign("/login?next=" + encodeURIComponent(here));
            }
            return answer;
        });
    };
})();
