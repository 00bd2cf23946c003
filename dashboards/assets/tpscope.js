// What the pages decide in the browser: the theme, and how the address and the controls follow each other.
(function () {
    "use strict";
    var root = document.documentElement;
    var dark = window.matchMedia("(prefers-color-scheme: dark)");
    var narrow = window.matchMedia("(max-width: 700px)");
    var LEAVES = {"/calls": "Calls", "/call": "Call"};
    var WORDS = {auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark"};

    function choice() {
        return root.getAttribute("data-theme") || "auto";
    }

    // What the legends hide, as "chart/line"; kept while the page is open.
    var hidden = [];

    function look() {
        var chosen = choice();
        var mode = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
        return {mode: mode, narrow: narrow.matches, hidden: hidden, zone: zone(), ready: true};
    }

    // The clocks' zone: the configured one (empty), the browser's own, or UTC.
    function zone() {
        try { return window.localStorage.getItem("tpscope-zone") || ""; } catch (error) { return ""; }
    }

    function turnZone(configured) {
        var own = window.Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
        var zones = [configured, own, "UTC"].filter(function (one, place, all) { return all.indexOf(one) === place; });
        var next = zones[(Math.max(zones.indexOf(zone() || configured), 0) + 1) % zones.length];
        try { window.localStorage.setItem("tpscope-zone", next === configured ? "" : next); } catch (error) { /* as above */ }
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
        // Buttons → look of the page, for figures and clocks.
        theme: function (clicks, zoneClicks, configured) {
            var context = window.dash_clientside.callback_context;
            if (clicks && context.triggered_id === "theme-button") { turn(); }
            if (zoneClicks && context.triggered_id === "zone-button") { turnZone(configured); }
            return [look(), WORDS[choice()], "Time: " + (zone() || configured)];
        },

        // A clock's beat as a value: what follows it is asked anew each time.
        beat: function (strokes) {
            return strokes;
        },

        // Which page of the navigation is open.
        nav: function (pathname, ids) {
            var here = (pathname || "/").replace(/\/+$/, "") || "/";
            var links = [].slice.call(document.querySelectorAll(".nav a"));
            links.forEach(function (link) {
                if (link.getAttribute("href") === here) { link.setAttribute("aria-current", "page"); } else { link.removeAttribute("aria-current"); }
            });
            var open = links.filter(function (link) { return link.getAttribute("href") === here; })[0];
            var bar = open && open.parentElement;
            if (bar && bar.scrollWidth > bar.clientWidth) {  // on a phone the open page's name may lie beyond the edge
                bar.scrollLeft += open.getBoundingClientRect().left - bar.getBoundingClientRect().left - (bar.clientWidth - open.offsetWidth) / 2;
            }
            document.title = (open ? open.textContent : LEAVES[here] || "No such page") + " · tpscope";
            return ids.map(function (id) {
                return id.path === here ? "open" : "";
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

        // A line that was clicked → the page that it leads to: its value becomes a filter.
        clicked: function (clicks, figures, ids) {
            var none = [window.dash_clientside.no_update, window.dash_clientside.no_update];
            var triggered = window.dash_clientside.callback_context.triggered_id;
            var index = triggered ? ids.findIndex(function (id) { return id.page === triggered.page && id.chart === triggered.chart; }) : -1;
            var points = index < 0 || !clicks[index] ? [] : clicks[index].points;
            var trace = points.length ? figures[index].data[points[0].curveNumber] : null;
            if (!trace || typeof trace.meta !== "string" || trace.meta.charAt(0) !== "/") { return none; }
            var target = new URL(trace.meta, window.location.origin);
            return target.origin === window.location.origin ? [target.pathname, target.search] : none;
        },

        // Address ↔ filters and window buttons of a page. Whoever changed leads.
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
                if (written(query) !== written(ours(search))) { query.delete("after"); }
                if (written(query) !== written(ours(search))) { newSearch = written(query); }
            } else {
                newValues = ids.map(function (id, index) {
                    var asked = query.get(id.dim) || null;
                    return asked === (values[index] || null) ? none : asked;
                });
            }
            var group = document.querySelector(".segments[data-default]");
            var open = query.get("last") || (query.get("from") ? "" : group ? group.getAttribute("data-default") : "");
            var links = windows.map(function (id) {
                var target = new URLSearchParams(query);
                target.delete("from");
                target.delete("to");
                target.delete("after");
                target.set("last", id.last);
                return window.location.pathname + written(target);
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

// What a chart shows as a file: one column a line, or a row a cell of a heat map. Nothing is asked of the service.
(function () {
    "use strict";
    function quoted(value) {
        var text = value === null || value === undefined ? "" : String(value);
        // A spreadsheet must not take a name that callers chose for a formula.
        if (typeof value !== "number" && /^[=+\-@\t\r]/.test(text)) { text = "'" + text; }
        return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
    }

    function listed(values) {
        return values ? Array.prototype.slice.call(values) : [];
    }

    function grid(trace) {
        var x = listed(trace.x), y = listed(trace.y), rows = [["x", "y", trace.name || "value"]];
        listed(trace.z).forEach(function (line, row) {
            listed(line).forEach(function (value, column) { rows.push([x[column], y[row], value]); });
        });
        return rows;
    }

    function columns(traces) {
        var at = {}, order = [];
        traces.forEach(function (trace, place) {
            var x = listed(trace.x), y = listed(trace.y);
            if (trace.orientation === "h") { var swap = x; x = y; y = swap; }
            x.forEach(function (value, index) {
                if (!at[value]) { at[value] = []; order.push(value); }
                at[value][place] = y[index];
            });
        });
        order.sort(function (one, other) { return one < other ? -1 : one > other ? 1 : 0; });
        var head = ["x"].concat(traces.map(function (trace) { return trace.name || "value"; }));
        return [head].concat(order.map(function (value) {
            return [value].concat(traces.map(function (_trace, place) { return at[value][place]; }));
        }));
    }

    document.addEventListener("click", function (event) {
        var button = event.target.closest ? event.target.closest("[data-csv]") : null;
        var card = button && button.closest(".card");
        var plot = card && card.querySelector(".js-plotly-plot");
        if (!plot || !plot.data) { return; }
        var title = card.querySelector("h2") ? card.querySelector("h2").textContent : "chart";
        var unit = card.querySelector(".card-tools .muted");
        var maps = plot.data.filter(function (trace) { return trace.type === "heatmap"; });
        var lines = plot.data.filter(function (trace) { return trace.name !== "anomaly" && trace.x && trace.visible !== false; });
        var clock = document.getElementById("zone-button");
        var rows = maps.length ? grid(maps[0]) : columns(lines);
        var text = "# " + title + (unit ? ", " + unit.textContent : "") + "\n# " + (clock ? clock.textContent : "")
            + "\n# " + window.location.href + "\n"
            + rows.map(function (row) { return row.map(quoted).join(","); }).join("\n") + "\n";
        var link = document.createElement("a");
        link.href = window.URL.createObjectURL(new window.Blob([text], {type: "text/csv"}));
        link.download = "tpscope-" + title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") + ".csv";
        link.click();
        window.setTimeout(function () { window.URL.revokeObjectURL(link.href); }, 1000);
    });
})();

// Dash's dropdowns carry an input that is hidden from screen readers; the keyboard must not come upon it either.
(function () {
    "use strict";
    function mend() {
        document.querySelectorAll("input[aria-hidden='true']:not([tabindex='-1'])").forEach(function (one) { one.tabIndex = -1; });
    }
    new window.MutationObserver(mend).observe(document.documentElement, {childList: true, subtree: true});
    mend();
})();
