"""Numbers, UIDs and limits, each named once, with its place in the standard."""

VERSION = "1.0.0"

# PDU types (PS3.8 9.3.1)
A_ASSOCIATE_RQ = 0x01
A_ASSOCIATE_AC = 0x02
A_ASSOCIATE_RJ = 0x03
P_DATA_TF = 0x04
A_RELEASE_RQ = 0x05
A_RELEASE_RP = 0x06
A_ABORT = 0x07

PDU_NAMES = {
    A_ASSOCIATE_RQ: "A-ASSOCIATE-RQ",
    A_ASSOCIATE_AC: "A-ASSOCIATE-AC",
    A_ASSOCIATE_RJ: "A-ASSOCIATE-RJ",
    P_DATA_TF: "P-DATA-TF",
    A_RELEASE_RQ: "A-RELEASE-RQ",
    A_RELEASE_RP: "A-RELEASE-RP",
    A_ABORT: "A-ABORT",
}
PDU_SECTIONS = {  # of PS3.8
    A_ASSOCIATE_RQ: "9.3.2",
    A_ASSOCIATE_AC: "9.3.3",
    A_ASSOCIATE_RJ: "9.3.4",
    P_DATA_TF: "9.3.5",
    A_RELEASE_RQ: "9.3.6",
    A_RELEASE_RP: "9.3.7",
    A_ABORT: "9.3.8",
}

# Items and sub-items of A-ASSOCIATE-RQ and -AC (PS3.8 9.3.2, 9.3.3, Annex D; PS3.7 D.3.3)
APPLICATION_CONTEXT = 0x10
PRESENTATION_CONTEXT_RQ = 0x20
PRESENTATION_CONTEXT_AC = 0x21
ABSTRACT_SYNTAX = 0x30
TRANSFER_SYNTAX = 0x40
USER_INFORMATION = 0x50
MAXIMUM_LENGTH = 0x51
IMPLEMENTATION_CLASS_UID = 0x52
ASYNCHRONOUS_OPERATIONS_WINDOW = 0x53
ROLE_SELECTION = 0x54
IMPLEMENTATION_VERSION_NAME = 0x55
EXTENDED_NEGOTIATION = 0x56
COMMON_EXTENDED_NEGOTIATION = 0x57
USER_IDENTITY_RQ = 0x58
USER_IDENTITY_AC = 0x59

# Sizes in bytes
HEADER_LENGTH = 6             # PDU-type, reserved, PDU-length (PS3.8 9.3.1)
FIXED_LENGTH = 68             # PDU-length of an A-ASSOCIATE-RQ or -AC without its variable items (PS3.8 9.3.2)
SHORT_LENGTH = 4              # PDU-length of RJ, RELEASE-RQ, RELEASE-RP and ABORT (PS3.8 9.3.4, 9.3.6 to 9.3.8)
PDV_OVERHEAD = 6              # Item-length, Presentation-context-ID, message control header (PS3.8 9.3.5.1)
MINIMUM_MAXIMUM_LENGTH = 8    # the smallest Maximum Length that lets a fragment through: PDV_OVERHEAD and two bytes
LARGEST_RQ = 1024 * 1024      # PDU-length of an A-ASSOCIATE-RQ; a limit of ours, the standard has none
LARGEST_COMMAND_SET = 64 * 1024   # reassembled; a limit of ours
MOST_CONTEXTS = 128           # odd presentation context IDs from 1 to 255 (PS3.8 9.3.2.2)
AE_TITLE_LENGTH = 16          # PS3.8 9.3.2, PS3.5 6.2
UID_LENGTH = 64               # characters at most (PS3.5 9)

PROTOCOL_VERSION = 0x0001     # only bit 0 is tested (PS3.8 9.3.2)

# Message control header (PS3.8 Annex E.2)
COMMAND_FRAGMENT = 0x01
LAST_FRAGMENT = 0x02

# Result/Reason of a presentation context (PS3.8 9.3.3.2)
ACCEPTANCE = 0
USER_REJECTION = 1
NO_REASON = 2
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4
CONTEXT_RESULTS = {
    ACCEPTANCE: "acceptance",
    USER_REJECTION: "user-rejection",
    NO_REASON: "no-reason",
    ABSTRACT_SYNTAX_NOT_SUPPORTED: "abstract-syntax-not-supported",
    TRANSFER_SYNTAXES_NOT_SUPPORTED: "transfer-syntaxes-not-supported",
}

# A-ASSOCIATE-RJ: (result, source, reason) (PS3.8 9.3.4)
REJECT_APPLICATION_CONTEXT = (1, 1, 2)
REJECT_PROTOCOL_VERSION = (1, 2, 2)
REJECT_LOCAL_LIMIT = (2, 3, 2)
REJECT_RESULTS = {1: "rejected-permanent", 2: "rejected-transient"}
REJECT_SOURCES = {
    1: "DICOM UL service-user",
    2: "DICOM UL service-provider (ACSE related function)",
    3: "DICOM UL service-provider (presentation related function)",
}
REJECT_REASONS = {  # (source, reason)
    (1, 1): "no-reason-given",
    (1, 2): "application-context-name-not-supported",
    (1, 3): "calling-AE-title-not-recognized",
    (1, 7): "called-AE-title-not-recognized",
    (2, 1): "no-reason-given",
    (2, 2): "protocol-version-not-supported",
    (3, 1): "temporary-congestion",
    (3, 2): "local-limit-exceeded",
}

# A-ABORT: (source, reason) (PS3.8 9.3.8)
ABORT_BY_USER = (0, 0)
ABORT_UNRECOGNIZED_PDU = (2, 1)
ABORT_UNEXPECTED_PDU = (2, 2)
ABORT_INVALID_PARAMETER = (2, 6)
ABORT_SOURCES = {0: "DICOM UL service-user", 1: "reserved", 2: "DICOM UL service-provider"}
ABORT_REASONS = {  # of source 2; with source 0 the reason is not significant
    0: "reason-not-specified",
    1: "unrecognized-PDU",
    2: "unexpected-PDU",
    3: "reserved",
    4: "unrecognized-PDU parameter",
    5: "unexpected-PDU parameter",
    6: "invalid-PDU-parameter value",
}

# UIDs (PS3.6 Annex A). In PDUs they are bytes without padding.
APPLICATION_CONTEXT_NAME = b"1.2.840.10008.3.1.1.1"
VERIFICATION = b"1.2.840.10008.1.1"
IMPLICIT_LITTLE = b"1.2.840.10008.1.2"
EXPLICIT_LITTLE = b"1.2.840.10008.1.2.1"
EXPLICIT_BIG = b"1.2.840.10008.1.2.2"
UID_NAMES = {
    "1.2.840.10008.3.1.1.1": "DICOM Application Context Name",
    "1.2.840.10008.1.1": "Verification SOP Class",
    "1.2.840.10008.1.2": "Little Endian Implicit VR",
    "1.2.840.10008.1.2.1": "Little Endian Explicit VR",
    "1.2.840.10008.1.2.2": "Big Endian Explicit VR",
}

# Who we are (PS3.7 D.3.3.2). The UID is 2.25 and the decimal form of UUID 3a84e774-8224-4114-89b9-106dbf45d262
# (PS3.5 B.2), which was drawn at random for this implementation and stays with it.
IMPLEMENTATION_CLASS = b"2.25.77785301408213893004879162580937331298"
IMPLEMENTATION_VERSION = b"ECHOSCP_" + VERSION.encode("ascii")

# Command elements of group 0000 (PS3.7 E.1), by element number
COMMAND_GROUP_LENGTH = 0x0000
AFFECTED_SOP_CLASS_UID = 0x0002
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
COMMAND_DATA_SET_TYPE = 0x0800
STATUS = 0x0900
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
    0x0901: "Offending Element",
    0x0902: "Error Comment",
    0x0903: "Error ID",
    0x1000: "Affected SOP Instance UID",
    0x1001: "Requested SOP Instance UID",
    0x1002: "Event Type ID",
    0x1005: "Attribute Identifier List",
    0x1008: "Action Type ID",
    0x1020: "Number of Remaining Sub-operations",
    0x1021: "Number of Completed Sub-operations",
    0x1022: "Number of Failed Sub-operations",
    0x1023: "Number of Warning Sub-operations",
    0x1030: "Move Originator Application Entity Title",
    0x1031: "Move Originator Message ID",
}
UID_ELEMENTS = (0x0002, 0x0003, 0x1000, 0x1001)

# Command Field (PS3.7 E.1)
C_ECHO_RQ = 0x0030
C_ECHO_RSP = 0x8030
RESPONSE = 0x8000
COMMAND_NAMES = {
    0x0001: "C-STORE-RQ", 0x8001: "C-STORE-RSP", 0x0010: "C-GET-RQ", 0x8010: "C-GET-RSP",
    0x0020: "C-FIND-RQ", 0x8020: "C-FIND-RSP", 0x0021: "C-MOVE-RQ", 0x8021: "C-MOVE-RSP",
    0x0030: "C-ECHO-RQ", 0x8030: "C-ECHO-RSP", 0x0FFF: "C-CANCEL-RQ",
    0x0100: "N-EVENT-REPORT-RQ", 0x8100: "N-EVENT-REPORT-RSP", 0x0110: "N-GET-RQ", 0x8110: "N-GET-RSP",
    0x0120: "N-SET-RQ", 0x8120: "N-SET-RSP", 0x0130: "N-ACTION-RQ", 0x8130: "N-ACTION-RSP",
    0x0140: "N-CREATE-RQ", 0x8140: "N-CREATE-RSP", 0x0150: "N-DELETE-RQ", 0x8150: "N-DELETE-RSP",
}
NO_DATA_SET = 0x0101          # Command Data Set Type (PS3.7 9.3.5)

# Status (PS3.7 9.1.5.1.4, Annex C)
SUCCESS = 0x0000
SOP_CLASS_NOT_SUPPORTED = 0x0122
STATUS_NAMES = {SUCCESS: "Success", SOP_CLASS_NOT_SUPPORTED: "Refused: SOP Class not supported"}
