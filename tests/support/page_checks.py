"""Which test shows what of which page in a browser: the matrix of pages and checks.

A page of the navigation that has no row here fails a test. Its row's address is opened by the test that looks at every page
(`EVERY`): in the dark on a phone, without a complaint of the console, a request that leaves the machine, a page that scrolls
sideways or a barrier that axe-core calls serious. The other columns name the tests that look closer; a sentence in place of a
name says why there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

EVERY = "test_each_page_is_drawn_without_a_complaint"
WALK = "test_each_window_is_kept_and_each_page_gives_a_file"
LOGIN = "test_people_log_in_and_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one page is checked.

    Attributes
    ----------
    address : str
        Where a test opens it, filled.
    desktop : bool
        Whether `EVERY` opens it at the desktop's width in the light too; else the test that is named for its data does.
    data : str
        Numbers on the page are the store's.
    drill : str
        A click leads on, to what a number is made of.
    window : str
        A chosen or a dragged span is in the address, and rules the page.
    file : str
        What is shown is had as a file, with the same numbers.
    """

    address: str
    desktop: bool = True
    data: str
    drill: str
    window: str = WALK
    file: str = WALK


ROWS: Mapping[str, Row] = {
    "/": Row(
        address="/?last=6h",
        data="test_the_numbers_on_the_page_are_the_stores",
        drill="test_pages_lead_to_one_another_without_a_reload",
        window="test_dragging_over_a_chart_narrows_the_window_of_all",
        file="test_an_earlier_time_is_drawn_beside_this_one",
    ),
    "/explore": Row(
        address="/explore?last=1h",
        desktop=False,
        data="test_explore_leads_from_a_metric_to_one_call",
        drill="test_explore_leads_from_a_metric_to_one_call",
        file="test_explore_leads_from_a_metric_to_one_call",
    ),
    "/llm": Row(
        address="/llm?last=1h",
        desktop=False,
        data="test_llm_figures_are_the_stores",
        drill="test_llm_figures_are_the_stores",
        file="test_llm_figures_are_the_stores",
    ),
    "/objectives": Row(
        address="/objectives?objective=few%20errors",
        data="test_objectives_show_what_the_store_says",
        drill="test_objectives_show_what_the_store_says",
    ),
    "/incidents": Row(
        address="/incidents", data="test_an_incident_is_explained", drill="test_people_act_from_the_page_and_it_is_noted"
    ),
    "/forecast": Row(
        address="/forecast",
        data="test_the_forecast_says_where_it_comes_from_and_is_taken_away",
        drill="test_the_forecast_says_where_it_comes_from_and_is_taken_away",
        window="a forecast has the window that it was made for",
        file="test_the_forecast_says_where_it_comes_from_and_is_taken_away",
    ),
    "/what-if": Row(
        address="/what-if?last=24h",
        desktop=False,
        data="test_a_what_if_is_asked_for_and_its_answer_is_what_the_command_finds",
        drill="test_recommendations_are_ranked_decided_and_lead_to_their_replay",
        window="the span is a part of the scenario, which the address holds",
        file="the scenario stands there as the file that the command reads",
    ),
    "/recommendations": Row(
        address="/recommendations",
        desktop=False,
        data="test_recommendations_are_ranked_decided_and_lead_to_their_replay",
        drill="test_recommendations_are_ranked_decided_and_lead_to_their_replay",
        window="all that are open are shown, whenever they were found",
        file="what is said of each is words, which the API has as JSON",
    ),
    "/pipeline": Row(
        address="/pipeline",
        data="test_the_pipeline_shows_what_came_in_and_what_was_left_out",
        drill="it is where questions about the service end; the command line goes on from there",
        file="test_the_pipeline_shows_what_came_in_and_what_was_left_out",
    ),
    "/calls": Row(
        address="/calls?last=1h",
        desktop=False,
        data="test_single_calls_are_searched_and_paged",
        drill="test_explore_leads_from_a_metric_to_one_call",
    ),
    "/call": Row(
        address="/call?id=nothing",
        desktop=False,
        data="test_explore_leads_from_a_metric_to_one_call",
        drill="test_explore_leads_from_a_metric_to_one_call",
        window="one call has no window",
        file="one call is a page of the list, which has a file",
    ),
}
