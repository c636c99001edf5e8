"""Every text that the screen shows, so that a translation is this one file."""

LANGUAGE = "en"  # how numbers are written

TITLE = "Email proofreader"
TAGLINE = (
    "Measures the tone of an email, corrects what needs it, and leaves the rest exactly as you wrote it."
)

# ---- the draft ----

DRAFT = "Your draft"
DRAFT_PLACEHOLDER = "Paste or type an email in English. It is kept nowhere unless you send feedback."
COUNT = "{characters} characters · {words} words"
COUNT_OVER = COUNT + ": only the first {limit} words will be proofread, the rest stays as it is"
MODE = "Mode"
MODES = {
    "proofread": "Proofread: correct mistakes",
    "polish": "Polish: also make it politer",
}
RUN = "Proofread  (Ctrl+Enter)"
STOP = "Stop"
CLEAR = "Clear"
RESTORE = "Undo"
EXAMPLE_EMAILS = {
    "Example: mistakes": """Hi Tom,

I dont think we recieved the invoice for 1,250 EUR yet. Could you sent it again until Friday?
The team have discussed about the new contract yesterday and everyone agree with it.

- the report are almost ready
- Priya will check it's numbers on 3 March

Best regards,
Anna
""",
    "Example: blunt": """Hello Mr. Okafor,

You still have not answered my question. Send me the signed form today.
This is the third time I ask and I am tired of waiting for you.

On Mon, 2 Feb 2026 at 09:14, D. Okafor wrote:
> I will look at it next week.
> Regards, D.

Maria
""",
    "Example: clean": """Dear Ms. Lindqvist,

Thank you for your quick reply. The room is booked for Tuesday, 14 April at 10:30, and coffee will be served.
Please let me know if anyone in your group needs a parking space.

Kind regards,
Samuel Adeyemi
""",
}

# ---- the result ----

RESULT = "Proofread email"
RESULT_PLACEHOLDER = "The proofread email appears here, line by line as you wrote it."
COPY = "Copy the email"
COPIED = "Copied ✓"
CHANGES = "What changed"
NO_CHANGES = "No changes: nothing in this email needed correcting."
NOTHING_CHANGED = "No changes were made."
ONE_CHANGE = "1 change"
MANY_CHANGES = "{count} changes"
REMOVED = "removed"
ADDED = "added"
KEPT = "Left alone on purpose"
PROMPTS = "Exact prompts sent to the model ({count})"
NO_PROMPTS = "Nothing was sent to the model: no sentence needed it."

# ---- gauges: label -> emoji and word, in the order of the scale ----

DRAFT_TONE = "How your draft reads"
RESULT_TONE = "How the proofread email reads"
SENTIMENT = "Sentiment"
POLITENESS = "Politeness"
SENTIMENT_SCALE = {
    "negative": ("🙁", "negative"),
    "neutral": ("😐", "neutral"),
    "positive": ("🙂", "positive"),
}
POLITENESS_SCALE = {
    "impolite": ("😠", "impolite"),
    "neutral": ("😐", "neutral"),
    "polite": ("😊", "polite"),
}
TONE_EMPTY = "Measured as soon as there is a draft."
TONE_RESULT_EMPTY = "Measured again when the email is proofread."
TONE_MISSING = "Not measured."
WAS = "draft: {label} {percent}%"
METER = "{label}, {percent} percent"

# ---- status lines ----

WAITING = "Waiting for the model…"
READING = "Reading the draft…"
PROGRESS = "{done} of {total} sentences read"
TIME_LEFT = "about {seconds} s left"
DONE = "Done in {seconds:.1f} s with {model}."
STOPPED = "Stopped after {done} of {total} sentences; the rest is as you wrote it."
STOPPED_EARLY = "Stopped before the first sentence; nothing was changed."
EMPTY_DRAFT = "There is no text to proofread yet: paste or type an email first."
UNEXPECTED = "Something went wrong in the proofreader ({name}); your draft is untouched. Please try again."
UNEXPECTED_TONE = "The tone could not be measured ({name})."
UNEXPECTED_FEEDBACK = "The feedback could not be kept ({name}); your words are still here. Please try again."

# ---- feedback ----

FEEDBACK = "Was this right?"
VERDICT = "Your verdict"
VERDICTS = {"good": "👍 Yes", "bad": "👎 No"}
WHAT_WAS_WRONG = "What was wrong?"
REASONS = {
    "missed mistake": "A mistake was missed",
    "wrong correction": "A correction is wrong",
    "changed meaning": "The meaning changed",
    "changed a name or number": "A name or number changed",
    "too formal": "Too formal",
    "too casual": "Too casual",
    "rude": "Rude",
    "biased or unfair to a person or group": "Biased or unfair to a person or group",
    "formatting broken": "Lines or formatting broken",
    "too slow": "Too slow",
    "other": "Something else",
}
COMMENT = "Comment (optional)"
COMMENT_PLACEHOLDER = "What should it have done?"
CONSENT_VERSION = "2"  # raise it whenever the meaning of CONSENT changes: records carry it
CONSENT = (
    "I agree that the record shown above (my draft, the proofread email, its scores and this feedback, with personal data "
    "replaced by placeholders) is kept {where}, to improve the proofreader."
)
CONSENT_NOTE = (
    "Without this tick nothing is kept. Names in running text are not found: look above before you send."
)
SEND = "Send feedback"
THANKS = "Thank you: your feedback is kept. To have it deleted, name its number: {id}"
PREVIEW = "What would be kept, word for word"
NEED_VERDICT = "Choose 👍 or 👎 first."
NEED_CONSENT = "Tick the box to agree first; nothing was kept."

# ---- start ----

SERVING = "Email proofreader: {url}  (Ctrl+C ends it)"
PORT_IN_USE = (
    "port {port} is in use: stop the other program or choose another port, e.g. PORT={other} make run"
)
PORT_FORBIDDEN = "port {port} needs administrator rights: choose one from 1024 up, e.g. PORT=7860 make run"
