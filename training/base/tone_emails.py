"""Email sentences with their tone, written for this project: some to train on, others to check.

Requests on forums and tweets miss what business mail is full of: plain statements, bare orders, cold
refusals, courteous complaints. A bare order counts as impolite, "Please send it." as neutral, a softened
request as polite. `rows("train")` also crosses everyday tasks with ways to ask, because politeness there lies
in the frame alone.
"""

from __future__ import annotations

from collections.abc import Iterator

# Below each "politeness sentiment" one text a line.
TRAIN = """
# impolite negative
This is the third time I have had to ask for this invoice. Are you even reading my emails?
Your team has wasted two weeks of our time.
I don't care about your excuses. The delivery is late and that is your fault.
Stop sending me half-finished spreadsheets.
Nobody asked for your opinion on the budget.
You clearly did not bother to read the contract.
This is unacceptable. Fix it today or we cancel the order.
How hard can it be to fill in a simple form correctly?
I have never dealt with such an incompetent supplier.
Your report is a mess and I am not going to clean it up for you.
If you had done your job, we would not be in this situation.
Don't waste my time with questions you can answer yourself.
The numbers are wrong again. Do you ever check anything?
I am sick of chasing you for the timesheets.
You people never answer the phone.
What a useless meeting. Next time prepare something or don't invite me.
Your refusal is ridiculous and I expect your manager to call me.
You missed the deadline again, and frankly nobody is surprised.
That is the worst proposal I have seen all year.
Obviously you forgot to copy the warehouse, like every time.
I told you this would fail, but of course you would not listen.
Get your act together or we will find another vendor.
We are not paying for your mistakes.
Your answer makes no sense.
Who approved this nonsense?
Are you kidding me? The shipment is still not here!
Because of your carelessness we lost the customer.
It is not my problem that you cannot plan.
Enough. Do not email me about this again.
You should be ashamed of the way you treated our staff.
No. That is a stupid idea and we are not doing it.
Why is this still not done? I am losing patience.
# impolite neutral
Send me the report now.
I need the figures by noon. No delays.
Call me.
Get this signed and back to me today.
Fix the totals in column D.
Tell accounting to pay it.
Answer my question.
You have to update the price list before you leave.
Be at the warehouse at seven. Don't be late.
Forward me the order confirmation immediately.
I want the revised offer on my desk tomorrow morning.
Read the attachment first, then we can talk.
Do it the way I told you.
Where is my invoice?
Move the meeting. I can't do Thursday.
Just answer yes or no.
Why didn't you copy me?
Cancel the order and confirm.
Not interested. Remove me from your list.
I expect your reply within the hour.
Explain this.
Hurry up with the quotation, the customer is waiting.
You must send the goods this week.
Don't change anything without asking me.
Check your own inbox before you ask.
Print twenty copies and bring them up.
Give me his number.
Next time follow the instructions.
No. We won't do that.
I said Monday, not Tuesday.
Ask somebody else.
What do you want from me?
SEND THE FILES TODAY.
Do I have to explain it again?
Make sure it's done before I get in.
# impolite positive
Finally. It took you long enough, but the numbers are right.
About time you got something right!
Well, even you managed to win a customer. Good.
Great result, no thanks to you.
Good. Now do the rest, and faster.
I won the bid. You didn't think I could, did you?
The client loves it, so stop complaining and ship it.
Excellent sales this month. Don't ruin it.
See, it works fine when you do what I say.
Nice presentation, for once.
Not bad for somebody who is always late.
We beat your team again. Better luck next year, losers.
# neutral negative
I am very disappointed with the delivery of our last order.
The goods arrived damaged and two boxes were missing.
We lost the contract with the hospital.
Sales fell by 14 percent in the third quarter.
The machine has broken down again and production has stopped.
Our customer is unhappy with the quality of the last batch.
The invoice contains three errors.
I am concerned about the rising cost of the project.
The payment is now 45 days overdue.
We have received several complaints about the new packaging.
The audit found serious problems in our stock records.
Two people have resigned from the sales team this month.
The test failed and the launch has been delayed.
I am not satisfied with the way my claim was handled.
The samples did not meet the specification.
The quarterly results are well below the forecast.
Our supplier went bankrupt last week.
The strike has closed the port, so the container is stuck.
It is frustrating that the same fault keeps coming back.
The new software is slow and loses data.
The meeting was a waste of time for everyone involved.
We cannot accept the goods in this condition.
Your price is much higher than what we agreed.
I feel that my work on this project was not recognised.
The budget has been cut and the training is cancelled.
Three of the pallets were wet and the contents are ruined.
The training was badly organised and the room was too small.
The parcel was lost and nobody could tell us where it was.
The figures look bad and we will miss our target.
I was upset by what was said in the review.
The refund has not arrived and the bank knows nothing about it.
# neutral neutral
The meeting is at 3 pm.
Please find attached the minutes of Tuesday's call.
The order was shipped on 12 March and should arrive on Friday.
I will be out of the office from Monday to Wednesday.
The invoice number is 20417.
Anna will take over the account in May.
Here is the address of the warehouse.
Our opening hours are from 9 am to 5 pm.
I have forwarded your message to the finance department.
The contract runs until the end of December.
Please send the signed copy to our office.
The attached spreadsheet lists all open orders.
Please see the agenda below.
We have changed the delivery date to 4 June.
The new price list is valid from January.
As agreed on the phone, the deposit is 30 percent.
You can download the form from our portal.
The budget review takes place every quarter.
Please note that the office will be closed on Friday.
The second item on the list is the storage contract.
I spoke to the supplier this morning.
The report covers the period from April to June.
Tom and I will visit the plant on Thursday.
The parts are stored in building C.
Let me know which option you prefer.
My phone number has changed to 555 0142.
Please use the reference number in all messages.
The training starts at ten and ends at four.
Both versions are in the shared folder.
We need two signatures on the purchase order.
Payment is due within 30 days.
Hi Daniel,
Hello everyone,
Dear Ms Brown,
The interview is planned for next Wednesday.
I have added the comments to the document.
Following our call, here are the next steps.
I am writing about order 5531.
The warehouse counts the stock twice a year.
We are waiting for the customer's answer.
See you on Monday.
# neutral positive
The launch went well and orders are above plan.
We won the contract with the city council.
Sales rose by 12 percent in the first quarter.
The customer is very happy with the new packaging.
The audit found no problems at all.
The new system works perfectly.
I am excited about the project and can't wait to start.
The team did a great job at the trade fair.
Our best month ever!
The results are better than we expected.
The repair was quick and the machine runs smoothly again.
Good news: the permit has been approved.
The workshop was a big success.
I really enjoyed the visit to your plant.
The samples look excellent.
Production is ahead of schedule.
The feedback on the brochure was very good.
We are delighted with the quality of the first batch.
The new colleague is a real gain for the team.
It was a pleasure to meet the whole team last week.
The price is fair and the terms are good.
I love the new design of the catalogue.
The delivery came two days early and everything was complete.
We reached every target this year.
The demo was impressive and the client signed on the spot.
I am glad that the matter is settled.
The bonus was approved for everyone.
The new canteen is lovely.
We are proud of this result.
The customer praised the fast delivery.
# polite negative
I am so sorry that the parcel arrived damaged.
Unfortunately we are unable to deliver before May. Please accept our apologies.
I apologise for the mistake in the invoice and for the trouble it has caused you.
I'm afraid I have bad news about the delivery, and I am truly sorry.
Thank you for your patience. Regrettably, the part is still out of stock.
I am sorry to say that we are not happy with the last batch. Would you kindly look into it?
Thank you for your offer. Unfortunately, the price is above what we can afford.
We very much regret that your application was not successful, and we thank you for your interest.
I understand how busy you are, but I am a little worried that we have not heard back. Could you possibly help?
Please forgive the late reply. I was ill all of last week.
With all due respect, I am afraid the quality was not what we had hoped for.
I am sorry to bother you again, but the refund has still not arrived. Could you please check?
We are sorry to see you go and wish you all the best.
I do apologise for the confusion over the dates. It was entirely our mistake.
Thank you for letting us know about the fault. We are very sorry for the inconvenience.
I regret to inform you that we have to decline your kind invitation.
Would you mind checking the order once more? I am afraid several items were missing.
I really appreciate your effort, but sadly the result does not meet our needs.
Sorry for the bad news, and thank you for understanding.
I hate to complain, and thank you for all your help so far, but the machine has failed again.
Sadly we must cancel the event. We apologise to everyone who had looked forward to it.
I am sorry for your loss. Please take all the time you need.
Please accept my sincere apologies for missing our meeting.
I'm sorry, but I won't be able to come. I hope you understand.
We would be grateful if you could resolve this soon, as our production has stopped.
# polite neutral
Could you please send me the figures when you have a moment?
Would you be so kind as to confirm the delivery date?
I would be grateful if you could return the signed contract by Friday.
Would it be possible to move our call to Thursday?
If you have time, could you have a look at the attached draft?
May I ask you to forward this to the right person?
I was wondering if you could tell me the status of order 4410.
Please let me know if there is anything else you need from me.
Could I trouble you for a copy of the invoice?
Would Tuesday at ten suit you?
Thank you for your message. I will get back to you by tomorrow.
Thank you in advance for your reply.
When you get a chance, could you update the price list? Thanks.
Would you mind sending the address again?
I hope you are well. I am writing to ask about the spare parts.
Please feel free to call me if you have any questions.
I would appreciate your feedback on the second section.
Could you kindly let us know which size you need?
We would like to invite you to our meeting on 9 June.
Might we ask for a short extension of the deadline?
Sorry to disturb you. Could you tell me who is in charge of returns?
Do you think you could help me with the customs form?
Whenever it is convenient for you, please give me a call.
Thank you for contacting us. A colleague will answer within two days.
Would you be able to join us for a short call next week?
I hope this finds you well. Please find the offer attached, and do not hesitate to ask.
If it is not too much trouble, could you resend the file?
May I suggest that we meet on Monday?
Kind regards and thank you,
Could you perhaps explain the second item in the quote?
Many thanks for your help with the booking.
Just a gentle reminder that the form is due on Friday, thank you.
# polite positive
Great work, thank you so much!
Thank you very much for the quick delivery. We are very pleased.
I really appreciate your help with the presentation. It was wonderful.
Congratulations on your promotion! You deserve it.
Many thanks for the excellent service.
It was a great pleasure to meet you, and I look forward to working with you.
Thanks a lot, that solved the problem perfectly!
We are very grateful for your support this year.
What a lovely idea! Thank you for sharing it.
Thank you for your kind words. They made my day.
I am delighted to accept your invitation. Thank you!
Thanks to your hard work the fair was a great success.
We would be delighted to welcome you at our new office.
Well done, everyone, and thank you for your effort.
I am very happy with the result and would like to thank the whole team.
Thank you so much for coming. We loved having you here.
Your advice was extremely helpful, and I am very thankful.
We warmly recommend your company. Thank you for everything.
I wanted to say how much I enjoyed your talk. Thank you!
You have been incredibly helpful. I can't thank you enough.
Happy birthday, and all the best for the coming year!
Wonderful news! I am so glad for you, congratulations.
Thank you for the beautiful flowers. They look great at reception.
It is always a pleasure doing business with you.
We truly value your trust and look forward to many more good years.
Thanks for fixing this so quickly, fantastic job!
I'm so pleased that you will join us. Welcome to the team!
The samples are superb. Thank you for sending them so quickly.
"""

CHECK = """
# impolite negative
Your hotel is a disgrace and your staff could not care less.
How many times do I have to report the same bug before somebody wakes up?
The flat was filthy. Did anyone bother to look at it before we moved in?
You lied to us about the flight, and now you want more money?
Your lawyers are dragging their feet and I am fed up with it.
Don't lecture me about deadlines when your own code is broken.
This app is garbage and your support is worse.
You booked the wrong city. How is that even possible?
I will not discuss this any further with someone who does not understand the lease.
Refund me now or you will hear from my lawyer.
Your carelessness cost us the flat.
Stop blaming the landlord for your own failures.
What kind of hotel forgets a wake-up call twice?
Nobody on your side seems capable of reading a simple bug report.
You ruined our trip and you do not even apologise.
# impolite neutral
Book me a flight to Oslo tomorrow.
Restart the server.
Get me a room with a view.
Send the keys today.
Tell the tenant to move the car.
Push the fix tonight. I don't want to hear about tests.
Change my seat to the aisle.
Why is the patch not merged?
Sign the lease and mail it back.
I need access to the repository now.
Don't call me before ten.
You have to reset my password right away.
Just do what the contract says.
Give the file to the judge's clerk and be quick about it.
Where are my tickets?
Reply to this today.
# impolite positive
At last the site is up. Was that so hard?
Nice flat, no thanks to your agent.
The fix works. You could have done that a month ago.
Good flight for a change, so keep it that way.
We won the case, in spite of you.
# neutral negative
I am very disappointed with the service.
The room was cold and the shower did not work.
The app crashes every time I open the settings.
Our flight was cancelled and we had to sleep at the airport.
The roof is leaking and the kitchen floor is damaged.
The judge rejected our appeal.
The last update deleted all my photos.
The guests complained about the noise and the breakfast.
The tenant has not paid the rent since March.
The tour was boring and far too expensive.
The server was down for six hours and we lost orders.
I am worried about the court costs.
The heating has failed for the second time this winter.
Support did not solve my problem.
The hearing went badly for our client.
The rental car was dirty and smelled of smoke.
# neutral neutral
The flight leaves at 6:40 from gate B12.
Check-in is possible from 2 pm.
The lease starts on 1 September.
Version 2.3 adds support for dark mode.
The hearing has been moved to Thursday.
Your booking reference is K7PQ2.
The keys are at the front desk.
The server runs on port 8080.
Please attach the log file to the ticket.
The flat has three rooms and a balcony.
I arrive in Lisbon on Sunday evening.
The witness statement is on page 14.
The password must have twelve characters.
Please bring your passport to the appointment.
The bus stops in front of the hotel.
We merged the branch on Monday.
The notary needs both originals.
Breakfast is served from seven to ten.
The backup runs every night at two.
Rent includes water and heating.
# neutral positive
The hotel was beautiful and the food was great.
The new release is fast and stable.
We had a wonderful time in Porto.
The court ruled in our favour.
The flat is bright, quiet and close to the park.
All tests pass and the upgrade went smoothly.
The guests loved the boat tour.
The renovation turned out really well.
The bug is finally gone and the users are happy.
Our guide was excellent and very funny.
The offer on the house was accepted!
The new search is a huge improvement.
The settlement is better than we had hoped.
The conference was inspiring.
The room had an amazing view of the sea.
# polite negative
I am terribly sorry that your room was not ready on time.
Unfortunately we could not reproduce the fault, and I apologise for the delay.
We regret that the flat has been let to someone else. Thank you for your interest.
Please accept our apologies for the cancelled flight.
I'm sorry to trouble you, but the heating has failed again. Could someone please come by?
I am afraid the court has rejected the appeal, and I am very sorry.
Thank you for your report. Sadly, the data cannot be recovered.
I apologise for the broken link and the time it cost you.
Thank you for staying with us. We are sorry that the noise spoiled your night.
With regret I have to withdraw my application. Thank you for your time.
Sorry that I missed your call. It was a dreadful day here.
Would you please look into the water damage? I am quite worried about it.
We are so sorry to hear about your accident.
# polite neutral
Could you please send me the report when you have a moment? Thanks!
Would you mind telling me when the flight lands?
Could we possibly check in a little earlier?
I would be grateful for a copy of the lease.
May I ask which version you are using?
Would it be possible to get a room on a lower floor?
If you have a minute, could you review my pull request?
Please let me know whenever it suits you to view the flat.
Thank you for your enquiry. Our agent will contact you shortly.
Could you kindly confirm the hearing date?
I was wondering whether the car park is open at night.
Would you be able to share the log file with us?
Thank you in advance for looking into the ticket.
Might I suggest a short call with our lawyer?
Do you think you could reset my password, please?
I hope you had a good trip. Could you send me the receipts at your convenience?
Please do not hesitate to contact us about your booking.
# polite positive
Great work on the release, thank you so much!
Thank you for a wonderful stay. We will be back!
Many thanks for the quick fix. It works beautifully.
We are so grateful to our lawyer for the excellent advice.
Congratulations on your new home! We are very happy for you.
Thank you very much for the upgrade, the suite was amazing.
I really appreciate the time you took to show us the flat. It is lovely.
It was a pleasure to host you, and we hope to welcome you again.
Thanks so much for the brilliant tour!
You were a great help in court. Thank you sincerely.
Fantastic support, thank you for your patience with me.
We would love to work with you again. Thank you for everything.
Thank you all for the great conference.
I am delighted with the new website. Thanks for your wonderful work!
"""

TASKS = """
send me the latest figures
review the attached contract
update the customer list
call the supplier about the missing parts
confirm the new delivery date
sign the form on page two
check the totals in the last column
book a room for the workshop
share the slides with the team
forward this message to Lisa
correct the address on the invoice
explain the difference in price
add the missing receipts to your claim
print the labels for the shipment
cancel the second order
reply to the customer
prepare the agenda for Monday
finish the monthly report
order more paper for the printer
return the signed copy
let me know how many people will come
pay the outstanding invoice
pick up the samples from reception
change the date of our appointment
"""

FRAMES = {
    "impolite": (
        "{Task}.",
        "{Task} now.",
        "{Task} immediately.",
        "You need to {task} today.",
        "{Task}, and be quick about it.",
        "I told you to {task}.",
        "Just {task}.",
        "{Task}. I won't ask again.",
    ),
    "neutral": (
        "Please {task}.",
        "I will {task} tomorrow.",
        "Peter is going to {task} next week.",
        "The plan is to {task} by Friday.",
        "Please {task} by the end of the month.",
        "We have agreed to {task} on Tuesday.",
        "The next step is to {task}.",
    ),
    "polite": (
        "Could you please {task}?",
        "Would you be able to {task}? Thank you!",
        "I would be grateful if you could {task}.",
        "When you have a moment, could you {task}?",
        "Would you mind taking a minute to {task}?",
        "Could you kindly {task}, please?",
        "I was wondering if you could {task}.",
        "If it is not too much trouble, could you {task}? Many thanks.",
    ),
}


def rows(part: str) -> Iterator[tuple[str, str, str]]:
    """(text, sentiment, politeness) of the part: "train" or "check"."""
    politeness = sentiment = ""
    for line in {"train": TRAIN, "check": CHECK}[part].strip().splitlines():
        if line.startswith("# "):
            politeness, sentiment = line[2:].split()
        else:
            yield line, sentiment, politeness
    if part == "train":
        for i, task in enumerate(TASKS.strip().splitlines()):
            for politeness, frames in FRAMES.items():
                for k in range(3):  # three of the ways to ask, other ones for each task
                    frame = frames[(i + 3 * k) % len(frames)]
                    yield frame.format(task=task, Task=task[0].upper() + task[1:]), "neutral", politeness
