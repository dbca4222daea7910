"""How urgency is said. See `phrases.py` for the marks."""

# Times that follow a request, and sentences that speak of urgency on their own.
# The rule: hours or today are high; days up to a week are medium; weeks and more are low.
TIME = {
    "high": ["today", "now", "right now", "immediately", "at once", "tonight", "within the hour",
             "within {k} hours", "as soon as possible", "asap", "without delay", "straight away",
             "before dark", "in the next hours", "urgently", "before tonight", "in {k} hours",
             "this very minute", "by noon", "before dawn", "this morning", "~in the next {k} hours",
             "~at once, today", "~before the night"],
    "medium": ["this week", "within {k} days", "in the next few days", "by {day}", "by the weekend",
               "before the weekend", "tomorrow", "in {k} days", "by tomorrow", "before {day}",
               "in the coming days", "in a few days", "until {day}", "on {day}",
               "~before the end of the week", "~within a few days", "~in the next {k} days"],
    "low": ["next month", "in {k} weeks", "some time", "when you have time", "whenever you pass by",
            "at your convenience", "when convenient", "at the next regular visit",
            "in the next {k} months", "next season", "whenever possible", "within {k} weeks",
            "next year", "next week", "in the coming weeks", "in a few weeks", "in a month or two",
            "~in the next {k} weeks", "~within {k} months", "~when you pass by some time"],
}
URGENCY = {
    "high": ["this is urgent", "very urgent", "extremely urgent", "this cannot wait",
             "lives are at risk", "it is life-threatening", "the situation is critical",
             "this is an emergency", "every minute counts", "please hurry", "top priority",
             "high priority", "we cannot hold out much longer", "do not delay",
             "the situation is desperate", "we need help now", "come at once", "send help today",
             "please come immediately", "priority: high", "people will die without help",
             "help needed within {k} hours", "urgent help needed", "most urgent",
             "~high urgency", "~this is very urgent, it cannot wait", "~please hurry, come now",
             "~lives are at risk, do not delay", "~help is needed immediately"],
    "medium": ["medium priority", "priority: medium", "please come this week", "help needed within {k} days",
               "we can manage for {k} days", "supplies last {k} more days", "it can wait until tomorrow",
               "it can wait a few days", "not critical yet but getting worse", "moderately urgent",
               "not an emergency, but help is needed this week", "we can hold out until {day}",
               "please come by {day}", "normal priority", "should be solved this week",
               "please look into it in the next days",
               "~the priority is medium", "~this can wait until {day}", "~we can hold out for {k} days",
               "~please come in the next few days"],
    "low": ["not urgent", "no hurry", "no rush", "it can wait", "this can wait", "low priority",
            "nothing urgent", "no emergency", "for your information only", "just for the record",
            "not pressing", "no need to hurry", "we can manage for {k} weeks", "whenever you can",
            "no action needed now", "routine request", "no immediate action needed", "priority: low",
            "this is not an emergency", "take your time", "it can wait until next month",
            "it is not critical", "supplies last {k} more weeks",
            "~no need to rush", "~the priority is low", "~this is not urgent", "~can wait some weeks",
            "~no immediate hurry"],
}

# A word in front of the whole report.
TAG = {
    "high": ["urgent", "emergency", "high priority", "very urgent", "priority high", "~extremely urgent"],
    "medium": ["medium priority", "priority medium", "moderately urgent", "~priority: medium"],
    "low": ["low priority", "not urgent", "for information", "routine", "priority low", "~no hurry"],
}
