"""Every text that the screen shows, so that a translation is this one file."""

LANGUAGE = "en"  # how numbers are written

TITLE = "Email proofreader"
TAGLINE = (
    "Measures the tone of an email, corrects what needs it, and leaves the rest exactly as you wrote it."
)

# ---- the draft ----

SUBJECT = "Subject (optional)"
DRAFT = "Your draft"
DRAFT_PLACEHOLDER = (
    "Paste or type an email in English, or drop a .txt or .eml file here. Your email stays in this browser unless you send "
    "feedback."
)
SERVER = "The rewrites are made by the server {name}: the text of your email goes there."
COUNT = "{characters} characters · {words} words"
COUNT_OVER = (
    COUNT + ": only the first {limit} words of your own text will be proofread, the rest stays as it is"
)
MODE = "Mode"
MODES = {
    "proofread": "Correct mistakes",
    "polish": "More polite",
    "friendly": "Friendlier",
    "formal": "More formal",
    "short": "Shorter",
}
MODES_NOTE = "Mistakes are corrected in every mode."
RUN = "Proofread"  # the style sheet adds the keys where there is a keyboard
STOP = "Stop"
CLEAR = "Clear"
RESTORE = "Restore"
EXAMPLE_EMAILS = {
    "Try: mistakes": """Hi Tom,

I dont think we recieved the invoice for 1,250 EUR yet. Could you sent it again until Friday?
The team have discussed about the new contract yesterday and everyone agree with it.

- the report are almost ready
- Priya will check it's numbers on 3 March

Best regards,
Anna
""",
    "Try: blunt": """Hello Mr. Okafor,

You still have not answered my question. Send me the signed form today.
This is the third time I ask and I am tired of waiting for you.

On Mon, 2 Feb 2026 at 09:14, D. Okafor wrote:
> I will look at it next week.
> Regards, D.

Maria
""",
    "Try: clean": """Dear Ms. Lindqvist,

Thank you for your quick reply. The room is booked for Tuesday, 14 April at 10:30, and coffee will be served.
Please let me know if anyone in your group needs a parking space.

Kind regards,
Samuel Adeyemi
""",
}

# ---- the draft as a file ----

OPEN = "Open file"
OPENED = "Opened {name}."
RECALLED = "Your last result, as you left it."
SAVE_TXT = "Save .txt"
SAVE_EML = "Save .eml"
FILE_NAME = "email"  # of what is saved

# ---- the result ----

RESULT = "Proofread email"
RESULT_PLACEHOLDER = (
    "The proofread email appears here, each change marked: click one to see why, or type to change the rest."
)
GONE = "This page was away for too long: proofread the email again."
STALE = "Your draft has changed since: proofread it again."
COPY = "Copy the email"
COPIED = "Copied ✓"
HIDE_MARKS = "Hide marks"
SHOW_MARKS = "Show marks"
CHANGES = "What changed"
CHANGES_EMPTY = "Each change appears here with its reason, to take or to leave."
NO_CHANGES = "No changes: nothing in this email needed correcting."
DISMISS = "Dismiss for good"
NOTHING_CHANGED = "No changes were made."
NO = "no"
ONE_CHANGE = "1 change"
MANY_CHANGES = "{count} changes"
CHOSEN = "{accepted} accepted, {rejected} rejected"
SUGGESTION = "Suggestion"
ACCEPT = "Accept"
REJECT = "Reject"
UNDO = "Undo"
REDO = "Redo"
WORDINGS = "Choose a wording"
IGNORE = "Never change “{word}”"
CHANGE = "Change"
REMOVE = "remove it"
PREVIOUS = "Previous change"
NEXT = "Next change"
PLACE = "{at} of {total}"
ACCEPT_ALL = "Accept all"
REJECT_ALL = "Reject all"
BY_KIND = "Accept or reject all of a kind"
KEYS = "Keys, at a change or here: n next, p previous, a accept, r reject, Ctrl+Z undo"
REMOVED = "removed"
ADDED = "added"
SKIPPED = "Left alone on purpose"
WHY = "Why this rewrite"
WHY_MEASURED = "The draft was measured: {sentiment}, and {politeness}."
WHY_ASKED = "The language model was asked {count}."
WHY_NOT_ASKED = "No sentence needed the language model, so it saw none."
PROPOSED = "Proposed by {source}: {edits}."
STATUSES = {"applied": "made", "suggested": "suggested", "refused": "refused"}
SOURCES = {
    "tagger": "the tagger",
    "lexicon": "the word list",
    "grammar": "the lists of grammar",
    "harper": "the grammar checker",
    "dialect": "the spelling that was chosen",
    "llm": "the language model",
    "polish": "the polite phrasebook",
    "user": "you",
}
ONCE = "once"
MANY_TIMES = "{count} times"
ADVANCED = "Advanced: how the model writes, and what it was told"
PROMPTS = "Exact prompts sent to the model ({count})"
NO_PROMPTS = "Nothing was sent to the model: no sentence needed it."

# ---- settings ----

SETTINGS = "Settings"
MODEL = "Model"
LOADING = "Loading {model}… a large model takes a minute, a download longer."
DOWNLOADING = "Downloading {model}: {received:,.0f} of {total:,.0f} MB…"
DIALECT = "Spelling"
DIALECTS = {"": "As written", "american": "American", "british": "British"}
TERMS = "Protected words"
TERMS_PLACEHOLDER = "One a line: names, products, jargon. They are never changed."
TERMS_NOTE = "Kept in this browser only."
SAMPLING = {  # label and note
    "temperature": ("Temperature", "0: the same draft always gives the same result."),
    "top_p": ("Top-p", ""),
    "top_k": ("Top-k", "0 turns it off."),
    "min_p": ("Min-p", ""),
    "repeat_penalty": ("Repeat penalty", ""),
    "min_tokens": ("Min tokens", "For one answer: it does not end before."),
    "max_tokens": ("Max tokens", "For one answer; 0: twice the length of its text."),
    "seed": ("Seed", ""),
}
RANGE = "{low} to {high}."
RESET = "Reset settings"

# ---- history ----

HISTORY = "History"
HISTORY_NOTE = "The last ten emails, kept in this browser only."
HISTORY_EMPTY = "Nothing yet."
HISTORY_OPEN = "Open"
HISTORY_CLEAR = "Clear history"

# ---- gauges ----

DRAFT_TONE = "How your draft reads"
RESULT_TONE = "How the proofread email reads"
SENTIMENT = "Sentiment"
POLITENESS = "Politeness"
FACES = {
    "very negative": "🙁",
    "negative": "🙁",
    "neutral": "😐",
    "positive": "🙂",
    "very positive": "😄",
    "rude": "😠",
    "blunt": "😕",
    "polite": "🙂",
    "very polite": "😊",
}
TONE_EMPTY = "Measured as soon as there is a draft."
TONE_RESULT_EMPTY = "Measured again when the email is proofread."
TONE_MISSING = "Not measured."
WAS = "draft: {word}"
AND = " and "
BECAUSE = "Sounds {words} because of: “{sentence}”"

# ---- status lines ----

NOT_BEGUN = "The run did not begin: too many emails are waiting. Please try again in a minute."
WAITING = "Waiting for the model…"
READING = "Reading the draft…"
UNITS = {"sentence": "sentences", "email": "passages"}  # what a model is given at a time
PROGRESS = "{done} of {total} {units} read"
TIME_LEFT = "about {seconds} s left"
DONE = "Done in {seconds:.1f} s with {model}: {changes}."
STOPPED = "Stopped: {units} {first} to {total} were not checked."
STOPPED_EARLY = "Stopped before the first sentence: nothing was checked."
EMPTY_DRAFT = "There is no text to proofread yet: paste or type an email first."
UNEXPECTED = "Something went wrong in the proofreader ({name}); your draft is untouched. Please try again."
UNEXPECTED_TONE = "The tone could not be measured ({name})."
UNEXPECTED_FEEDBACK = "The feedback could not be kept ({name}); your words are still here. Please try again."

# ---- feedback ----

FEEDBACK = "Was this helpful?"
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
CORRECTED = "How it should read (optional)"
CORRECTED_PLACEHOLDER = "The email as you would send it. What you write here teaches the next model most."
COMMENT = "Comment (optional)"
COMMENT_PLACEHOLDER = "What should it have done?"
CONSENT_VERSION = "4"  # raise it whenever the meaning of CONSENT changes: records carry it
CONSENT = (
    "I agree that the record that opens above (my draft, the proofread email, its scores, which changes I took, what I typed in it and this feedback, "
    "with personal data replaced by placeholders) is kept {where}, to improve the proofreader."
)
CONSENT_NOTE = (
    "Without this tick nothing is kept. Names in running text are not found: look above before you send."
)
SEND = "Send feedback"
THANKS = "Thank you: your feedback is kept. To have it deleted, quote this number: {id}"
PREVIEW = "What would be kept, word for word"
NEED_VERDICT = "Choose 👍 or 👎 first."
NEED_CONSENT = "Tick the box to agree first; nothing was kept."

# ---- start ----

STANDS_IN = "{problem} For now {model}, the embedded model, is used."
SERVING = "Email proofreader: {url}  (Ctrl+C ends it)"
PORT_IN_USE = (
    "port {port} is in use: stop the other program or choose another port, e.g. PORT={other} make run"
)
PORT_FORBIDDEN = "port {port} needs administrator rights: choose one from 1024 up, e.g. PORT=7860 make run"
