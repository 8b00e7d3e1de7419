"""Drafts treatment notes, patient forms, attachments and messages."""

import copy
import datetime as dt
import json
from typing import Any

from .drafts import DAY, Draft, Drafts
from .patient_data import ANSWERS, ATTACHMENTS, MEMOS

_NOTE_DRAFT, _NOTE_FINAL = 10, 90
_SMS, _EMAIL, _CALL = 1, 2, 3
_SENT, _RECEIVED = 1, 2
_REMINDER, _INVOICE, _REPLY, _MEMO = 1, 3, 8, 12
_CLINIC_ADDRESS = "desk@bluegum.example"
_INTAKE: dict[str, Any] = {
    "sections": [
        {
            "name": "Medical history",
            "questions": [
                {"name": "What brings you to us?", "type": "paragraph", "required": True},
                {
                    "name": "Which of these do you have?",
                    "type": "checkboxes",
                    "required": False,
                    "answers": [{"value": "Asthma"}, {"value": "High blood pressure"}, {"value": "Diabetes"}],
                },
            ],
        },
        {
            "name": "Agreement",
            "description": "<div>Please sign.</div>",
            "questions": [{"name": "I agree to be treated", "type": "signature", "required": True}],
        },
    ]
}
_FEEDBACK: dict[str, Any] = {
    "sections": [
        {
            "name": "Your visit",
            "questions": [
                {
                    "name": "How was it?",
                    "type": "radiobuttons",
                    "required": True,
                    "answers": [{"value": "Good"}, {"value": "Could be better"}],
                    "other": {"enabled": True},
                },
                {"name": "What should we know?", "type": "text", "required": False},
            ],
        }
    ]
}


def draft_documents(drafts: Drafts) -> dict[int, Draft]:
    """Draft the documents, and return the attachments by the numbers of their files."""
    for attendee in drafts.of("attendees"):
        if attendee["arrived"] and drafts.rng.random() < 0.8:
            _note(drafts, attendee)
    _forms(drafts)
    attachments = dict(enumerate(_attachment(drafts, one) for one in drafts.sample(drafts.of("patients"), 0.3)))
    _messages(drafts)
    return attachments


def attachment_file(number: int) -> tuple[str, str, bytes]:
    """Return the name, the description and the content of a file."""
    name, description, text = ATTACHMENTS[number % len(ATTACHMENTS)]
    return name, description, text.encode()


def _note(drafts: Drafts, attendee: Draft) -> None:
    booking = attendee["booking_id"]
    appointment_type = drafts.timeline.row("appointment_types", booking["appointment_type_id"])
    template = drafts.timeline.row(
        "treatment_note_templates",
        int(appointment_type["treatment_note_template_id"] or drafts.timeline.inserted["treatment_note_templates"][-1]),
    )
    practitioner = drafts.timeline.row("practitioners", booking["practitioner_id"])
    written = booking["ends_at"] + dt.timedelta(minutes=drafts.rng.randrange(2, 90))
    unfinished = written > drafts.today - 7 * DAY and drafts.rng.random() < 0.4
    drafts.add(
        "treatment_notes",
        written,
        title=template["name"],
        author_name=f"{practitioner['first_name']} {practitioner['last_name']}",
        content=_answered(drafts, json.loads(str(template["content"])), None),
        draft=unfinished,
        finalized_at=None if unfinished else written,
        attendee_id=attendee,
        booking_id=booking,
        patient_id=attendee["patient_id"],
        practitioner_id=practitioner["id"],
        treatment_note_template_id=template["id"],
    )
    attendee["treatment_note_status"] = _NOTE_DRAFT if unfinished else _NOTE_FINAL
    if "patient_id" in booking:
        booking["treatment_note_status"] = attendee["treatment_note_status"]


def _answered(drafts: Drafts, content: dict[str, Any], signature: int | None) -> dict[str, Any]:
    """Return the same questions with an answer to each, in the form of its type."""
    answered = copy.deepcopy(content)
    for question in [one for section in answered["sections"] for one in section["questions"]]:
        text = drafts.rng.choice(ANSWERS)
        if "answers" in question:
            drafts.rng.choice(question["answers"])["selected"] = True
        elif question["type"] == "bodycharts":
            question["body_chart_ids"] = [str(drafts.timeline.unserved_id())]
        elif question["type"] == "signature":
            question["signature_id"] = str(signature)
        elif question["type"] == "date":
            question["answer"] = (drafts.today + 14 * DAY).date().isoformat()
        else:
            question["answer"] = f"<div>{text}</div>" if question["type"] == "paragraph" else text
    return answered


def _forms(drafts: Drafts) -> None:
    templates = [
        drafts.add(
            "patient_form_templates",
            drafts.past_moment(900, 2000),
            name=name,
            content=content,
            email_to_patient_on_completion=False,
            restricted_to_practitioner=False,
        )
        for name, content in (("New patient intake", _INTAKE), ("Feedback", _FEEDBACK))
    ]
    for patient in drafts.of("patients"):
        first = next((one for one in drafts.of("attendees") if one["patient_id"] is patient), None)
        if first is not None:
            _form(drafts, patient, first, templates[drafts.rng.random() < 0.2])


def _form(drafts: Drafts, patient: Draft, attendee: Draft, template: Draft) -> None:
    created = attendee["created_at"] + dt.timedelta(minutes=3)
    done = attendee["booking_id"]["starts_at"] < drafts.today or drafts.rng.random() < 0.4
    signature = drafts.timeline.unserved_id() if done and template["name"] != "Feedback" else None
    drafts.add(
        "patient_forms",
        created,
        name=template["name"],
        content=_answered(drafts, template["content"], signature) if done else template["content"],
        completed_at=min(created + dt.timedelta(hours=5), drafts.today) if done else None,
        attendee_id=attendee,
        booking_id=attendee["booking_id"],
        business_id=attendee["booking_id"]["business_id"],
        patient_id=patient,
        patient_form_template_id=template,
        signatures_id=signature,
        email_to_patient_on_completion=False,
        restricted_to_practitioner=False,
        url=f"https://bluegum.example/f/?{drafts.rng.getrandbits(64):016x}",
    )


def _attachment(drafts: Drafts, patient: Draft) -> Draft:
    number = len(drafts.of("patient_attachments"))
    name, description, content = attachment_file(number)
    case = next((one for one in drafts.of("patient_cases") if one["patient_id"] is patient), None)
    attachment = drafts.add(
        "patient_attachments",
        patient["created_at"] + 10 * DAY,
        filename=name,
        description=description,
        content_type="text/plain",
        size=len(content),
        processing_completed=True,
        patient_id=patient,
        patient_case_id=case,
        user_id=drafts.rng.choice(drafts.timeline.inserted["users"]),
    )
    attachment["processed_at"] = attachment["created_at"] + dt.timedelta(seconds=4)
    if case is not None:
        case["patient_attachment_ids"].append(attachment)
    return attachment


def _messages(drafts: Drafts) -> None:
    for attendee in drafts.of("attendees"):
        for message_type, sent in ((_EMAIL, "email_reminder_sent"), (_SMS, "sms_reminder_sent")):
            if attendee[sent]:
                _remind(drafts, attendee, message_type)
    for invoice in drafts.sample(drafts.of("invoices"), 0.3):
        text = {"content": f"Your invoice {invoice['number']} is attached.", "content_subject": "Invoice"}
        about = {"invoice_id": invoice, "attendee_id": invoice["attendee_id"]}
        _message(drafts, invoice["patient_id"], invoice["created_at"], _EMAIL, _INVOICE, **text, **about)
    for patient in drafts.sample(drafts.of("patients"), 0.3):
        moment = patient["created_at"] + drafts.rng.randrange(1, 40) * DAY
        memo = {"content": drafts.rng.choice(MEMOS), "confidential": drafts.rng.random() < 0.2}
        _message(drafts, patient, moment, _CALL, _MEMO, **memo, received=True)


def _remind(drafts: Drafts, attendee: Draft, message_type: int) -> None:
    booking, patient = attendee["booking_id"], attendee["patient_id"]
    moment = booking["starts_at"] - DAY
    about = {"attendee_id": attendee, "booking_id": booking}
    subject = {"content_subject": "Appointment reminder"} if message_type == _EMAIL else {}
    _message(
        drafts, patient, moment, message_type, _REMINDER, content="See you tomorrow at Bluegum.", **about, **subject
    )
    if message_type == _SMS and drafts.rng.random() < 0.2:
        later = moment + dt.timedelta(minutes=20)
        _message(drafts, patient, later, message_type, _REPLY, content="Thanks, see you then", **about, received=True)


def _message(
    drafts: Drafts,
    patient: Draft,
    moment: dt.datetime,
    message_type: int,
    category: int,
    **fields: Any,
) -> None:
    received = fields.pop("received", False)
    theirs = patient["email"] if message_type == _EMAIL else patient["patient_phone_numbers"][0]["number"]
    ends = {"from": theirs, "to": _CLINIC_ADDRESS} if received else {"from": _CLINIC_ADDRESS, "to": theirs}
    codes = {"type_code": message_type, "category_code": category, "direction_code": _RECEIVED if received else _SENT}
    drafts.add("communications", moment, patient_id=patient, **codes, **ends, **fields)
