// Buttons that act: who may is shown them, a dialog asks first, and the API does and notes it.
(function () {
    "use strict";
    var session = null, pending = null;

    function who() {
        session = session || window.fetch("/api/v1/session", {headers: {Accept: "application/json"}}).then(function (answer) {
            return answer.ok ? answer.json() : {};
        }).catch(function () { return {}; });
        return session;
    }

    who().then(function (one) {
        if (one.scope === "operate" || one.scope === "admin") { document.documentElement.setAttribute("data-may", "operate"); }
    });

    function part(name) {
        return document.getElementById("act-" + name);
    }

    function ask(button) {
        pending = button;
        part("title").textContent = button.textContent;
        part("words").textContent = button.getAttribute("data-words");
        part("problem").textContent = "";
        part("why").value = "";
        part("asks").hidden = !button.getAttribute("data-asks");
        part("dialog").showModal();
    }

    function filled(value, words) {
        if (typeof value === "string") { return Object.prototype.hasOwnProperty.call(words, value) ? words[value] : value; }
        if (value && typeof value === "object") {
            Object.keys(value).forEach(function (key) { value[key] = filled(value[key], words); });
        }
        return value;
    }

    function complain(words) {
        part(part("dialog").open ? "problem" : "said").textContent = words;
    }

    function act(button) {
        var why = part("why").value.trim();
        if (button.getAttribute("data-asks") && !why) {
            part("problem").textContent = "Say why, for whoever asks later.";
            part("why").focus();
            return;
        }
        who().then(function (one) {
            var headers = {"Content-Type": "application/json"};
            if (one.csrf_token) { headers["X-CSRF-Token"] = one.csrf_token; }
            var body = filled(JSON.parse(button.getAttribute("data-body")), {"$why": why, "$who": one.name || "somebody"});
            return window.fetch(button.getAttribute("data-post"), {method: "POST", headers: headers, body: JSON.stringify(body)});
        }).then(function (answer) {
            if (answer.ok) {
                var told = button.getAttribute("data-once");
                part("said").textContent = told ? "" : "Noted: " + button.textContent.toLowerCase() + ".";
                part("dialog").close();
                if (told) { window.dash_clientside.set_props(told, {data: Date.now()}); }
                window.dash_clientside.set_props("tick", {n_intervals: Date.now()});
                return null;
            }
            return answer.json().then(function (problem) { complain(problem.detail || "It was refused."); });
        }).catch(function () {
            complain("The service did not answer; nothing is known to have been done.");
        });
    }

    document.addEventListener("click", function (event) {
        var at = event.target.closest ? event.target : null;
        var button = at && at.closest("[data-post]");
        if (button && part("dialog")) {
            if (button.getAttribute("data-once")) { act(button); } else { ask(button); }
        }
        if (at && at.closest("#act-leave")) { part("dialog").close(); }
        if (at && at.closest("#act-go") && pending) { act(pending); }
    });
})();
