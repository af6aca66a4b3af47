"""The standard's words for its codes, and the names of UIDs."""
from dul.codes import (
    A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RP, A_RELEASE_RQ, ABORT_BY_USER,
    ABSTRACT_SYNTAX_NOT_SUPPORTED, ACCEPTANCE, P_DATA_TF, SOP_CLASS_NOT_SUPPORTED, SUCCESS,
    TRANSFER_SYNTAXES_NOT_SUPPORTED, UID_LENGTH)
from dul.text import as_native, counted

# PDUs, and their sections of PS3.8
PDU_NAMES = {A_ASSOCIATE_RQ: "A-ASSOCIATE-RQ", A_ASSOCIATE_AC: "A-ASSOCIATE-AC", A_ASSOCIATE_RJ: "A-ASSOCIATE-RJ",
             P_DATA_TF: "P-DATA-TF", A_RELEASE_RQ: "A-RELEASE-RQ", A_RELEASE_RP: "A-RELEASE-RP", A_ABORT: "A-ABORT"}
PDU_SECTIONS = {A_ASSOCIATE_RQ: "9.3.2", A_ASSOCIATE_AC: "9.3.3", A_ASSOCIATE_RJ: "9.3.4", P_DATA_TF: "9.3.5",
                A_RELEASE_RQ: "9.3.6", A_RELEASE_RP: "9.3.7", A_ABORT: "9.3.8"}

# Result/Reason of a presentation context (PS3.8 9.3.3.2), those that an acceptor sends
CONTEXT_RESULTS = {
    ACCEPTANCE: "acceptance",
    ABSTRACT_SYNTAX_NOT_SUPPORTED: "abstract-syntax-not-supported",
    TRANSFER_SYNTAXES_NOT_SUPPORTED: "transfer-syntaxes-not-supported",
}

# A-ASSOCIATE-RJ (PS3.8 9.3.4), likewise
REJECT_RESULTS = {1: "rejected-permanent", 2: "rejected-transient"}
REJECT_SOURCES = {
    1: "DICOM UL service-user",
    2: "DICOM UL service-provider (ACSE related function)",
    3: "DICOM UL service-provider (presentation related function)",
}
REJECT_REASONS = {  # (source, reason)
    (1, 2): "application-context-name-not-supported",
    (2, 2): "protocol-version-not-supported",
    (3, 2): "local-limit-exceeded",
}

# A-ABORT (PS3.8 9.3.8)
ABORT_SOURCES = {0: "DICOM UL service-user", 1: "reserved", 2: "DICOM UL service-provider"}
ABORT_REASONS = {  # of source 2; with source 0 the reason is not significant
    0: "reason-not-specified",
    1: "unrecognized-PDU",
    2: "unexpected-PDU",
    4: "unrecognized-PDU parameter",
    5: "unexpected-PDU parameter",
    6: "invalid-PDU-parameter value",
}

# Elements of a command set, those of requests and Status (PS3.7 E.1); commands; Status (PS3.7 9.1.5.1.4, Annex C)
ELEMENT_NAMES = {
    0x0000: "Command Group Length",
    0x0002: "Affected SOP Class UID",
    0x0003: "Requested SOP Class UID",
    0x0100: "Command Field",
    0x0110: "Message ID",
    0x0120: "Message ID Being Responded To",
    0x0600: "Move Destination",
    0x0700: "Priority",
    0x0800: "Command Data Set Type",
    0x0900: "Status",
    0x1000: "Affected SOP Instance UID",
    0x1001: "Requested SOP Instance UID",
    0x1002: "Event Type ID",
    0x1005: "Attribute Identifier List",
    0x1008: "Action Type ID",
    0x1030: "Move Originator Application Entity Title",
    0x1031: "Move Originator Message ID",
}
COMMAND_NAMES = {
    0x0001: "C-STORE-RQ", 0x8001: "C-STORE-RSP", 0x0010: "C-GET-RQ", 0x8010: "C-GET-RSP",
    0x0020: "C-FIND-RQ", 0x8020: "C-FIND-RSP", 0x0021: "C-MOVE-RQ", 0x8021: "C-MOVE-RSP",
    0x0030: "C-ECHO-RQ", 0x8030: "C-ECHO-RSP", 0x0FFF: "C-CANCEL-RQ",
    0x0100: "N-EVENT-REPORT-RQ", 0x8100: "N-EVENT-REPORT-RSP", 0x0110: "N-GET-RQ", 0x8110: "N-GET-RSP",
    0x0120: "N-SET-RQ", 0x8120: "N-SET-RSP", 0x0130: "N-ACTION-RQ", 0x8130: "N-ACTION-RSP",
    0x0140: "N-CREATE-RQ", 0x8140: "N-CREATE-RSP", 0x0150: "N-DELETE-RQ", 0x8150: "N-DELETE-RSP",
}
STATUS_NAMES = {SUCCESS: "Success", SOP_CLASS_NOT_SUPPORTED: "Refused: SOP Class not supported"}

# UIDs that a verification server meets most (PS3.6 Annex A)
UID_NAMES = {
    "1.2.840.10008.3.1.1.1": "DICOM Application Context Name",
    "1.2.840.10008.1.1": "Verification SOP Class",
    "1.2.840.10008.1.2": "Little Endian Implicit VR",
    "1.2.840.10008.1.2.1": "Little Endian Explicit VR",
    "1.2.840.10008.1.2.2": "Big Endian Explicit VR",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline (Process 1)",
    "1.2.840.10008.1.2.4.51": "JPEG Extended (Process 2 and 4)",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless, Non-Hierarchical (Process 14)",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless Image Compression",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Lossy (Near-Lossless) Image Compression",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Image Compression (Lossless Only)",
    "1.2.840.10008.1.2.4.91": "JPEG 2000 Image Compression",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.5.1.4.1.1.1": "Computed Radiography Image Storage",
    "1.2.840.10008.5.1.4.1.1.1.1": "Digital X-Ray Image Storage - For Presentation",
    "1.2.840.10008.5.1.4.1.1.1.2": "Digital Mammography X-Ray Image Storage - For Presentation",
    "1.2.840.10008.5.1.4.1.1.2": "CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.3.1": "Ultrasound Multi-frame Image Storage",
    "1.2.840.10008.5.1.4.1.1.4": "MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.6.1": "Ultrasound Image Storage",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.12.1": "X-Ray Angiographic Image Storage",
    "1.2.840.10008.5.1.4.1.1.12.2": "X-Ray Radiofluoroscopic Image Storage",
    "1.2.840.10008.5.1.4.1.1.20": "Nuclear Medicine Image Storage",
    "1.2.840.10008.5.1.4.1.1.88.11": "Basic Text SR Storage",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR Storage",
    "1.2.840.10008.5.1.4.1.1.88.67": "X-Ray Radiation Dose SR Storage",
    "1.2.840.10008.5.1.4.1.1.104.1": "Encapsulated PDF Storage",
    "1.2.840.10008.5.1.4.1.1.128": "Positron Emission Tomography Image Storage",
    "1.2.840.10008.5.1.4.1.1.481.2": "RT Dose Storage",
    "1.2.840.10008.5.1.4.1.1.481.3": "RT Structure Set Storage",
    "1.2.840.10008.5.1.4.1.1.481.5": "RT Plan Storage",
    "1.2.840.10008.5.1.4.1.2.1.1": "Patient Root Query/Retrieve Information Model - FIND",
    "1.2.840.10008.5.1.4.1.2.1.2": "Patient Root Query/Retrieve Information Model - MOVE",
    "1.2.840.10008.5.1.4.1.2.2.1": "Study Root Query/Retrieve Information Model - FIND",
    "1.2.840.10008.5.1.4.1.2.2.2": "Study Root Query/Retrieve Information Model - MOVE",
    "1.2.840.10008.5.1.4.31": "Modality Worklist Information Model - FIND",
    "1.2.840.10008.3.1.2.3.3": "Modality Performed Procedure Step SOP Class",
    "1.2.840.10008.1.20.1": "Storage Commitment Push Model SOP Class",
    "1.2.840.10008.5.1.1.9": "Basic Grayscale Print Management Meta SOP Class",
    "1.2.840.10008.5.1.1.18": "Basic Color Print Management Meta SOP Class",
}


def reject_words(reject):
    """(result, source, reason) of an A-ASSOCIATE-RJ in the standard's words."""
    result, source, reason = reject
    return "result %d: %s, source %d: %s, reason %d: %s" % (
        result, REJECT_RESULTS[result], source, REJECT_SOURCES[source], reason, REJECT_REASONS[source, reason])


def abort_words(source, reason):
    """Source and reason of an A-ABORT in the standard's words."""
    words = "source %d: %s" % (source, ABORT_SOURCES.get(source, "reserved"))
    if source == ABORT_BY_USER[0]:
        return words
    return words + ", reason %d: %s" % (reason, ABORT_REASONS.get(reason, "reserved"))


def element_name(element):
    """``Command Field (0000,0100)``."""
    return "%s (0000,%04X)" % (ELEMENT_NAMES.get(element, "element"), element)


def command_name(field):
    """``C-STORE-RQ``; ``command 1234H`` where the number has no name; ``(none)`` for None."""
    return "(none)" if field is None else COMMAND_NAMES.get(field, "command %04XH" % field)


def is_uid(data):
    """Whether bytes without padding look like a UID: 1 to 64 digits and dots (PS3.5 9.1)."""
    return 0 < len(data) <= UID_LENGTH and not data.strip(b"0123456789.")


def uid_name(uid):
    """``Verification SOP Class``; the UID itself where it has no known name; of what is not a UID, its length alone,
    because a damaged request may have a secret there. ``uid``: bytes without padding."""
    if not is_uid(uid):
        return "(%s, not a UID)" % counted(len(uid), "byte")
    text = as_native(uid)
    return UID_NAMES.get(text, text)


def named_uid(uid):
    """``=Verification SOP Class``, or the plain UID: as in DCMTK's dumps."""
    name = uid_name(uid)
    return "=" + name if is_uid(uid) and name != as_native(uid) else name
