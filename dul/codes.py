"""Numbers, UIDs and limits of the standard, each named once. Their words are in ``words``."""

VERSION = "1.1.0"

# PDU types (PS3.8 9.3.1)
A_ASSOCIATE_RQ = 0x01
A_ASSOCIATE_AC = 0x02
A_ASSOCIATE_RJ = 0x03
P_DATA_TF = 0x04
A_RELEASE_RQ = 0x05
A_RELEASE_RP = 0x06
A_ABORT = 0x07

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
LARGEST_PDU = 0xFFFFFFFF      # the largest PDU-length that its four bytes can say
PDV_OVERHEAD = 6              # Item-length, Presentation-context-ID, message control header (PS3.8 9.3.5.1)
MINIMUM_MAXIMUM_LENGTH = 8    # the smallest Maximum Length that lets a fragment through: PDV_OVERHEAD and two bytes
MOST_CONTEXTS = 128           # odd presentation context IDs from 1 to 255 (PS3.8 9.3.2.2)
AE_TITLE_LENGTH = 16          # PS3.8 9.3.2, PS3.5 6.2
UID_LENGTH = 64               # characters at most (PS3.5 9)

# Limits of this implementation; the standard has none
LARGEST_RQ = 1024 * 1024      # PDU-length of an A-ASSOCIATE-RQ, in bytes; also of a P-DATA-TF, whatever -pdu allows
MOST_ITEMS = 10000            # items, sub-items and listed UIDs of one A-ASSOCIATE-RQ: bounds the memory that decoding takes
LARGEST_COMMAND_SET = 64 * 1024   # bytes, reassembled
CLOSING_SECONDS = 30          # ARTIM in Sta13 where -ta is 0: both sides are done, so the connection need not stay

PROTOCOL_VERSION = 0x0001     # only bit 0 is tested (PS3.8 9.3.2)

# Message control header (PS3.8 Annex E.2)
COMMAND_FRAGMENT = 0x01
LAST_FRAGMENT = 0x02

# Result/Reason of a presentation context (PS3.8 9.3.3.2)
ACCEPTANCE = 0
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

# A-ASSOCIATE-RJ: (result, source, reason) (PS3.8 9.3.4)
SERVICE_USER = 1              # a source; 2 and 3 are the service provider
REJECT_APPLICATION_CONTEXT = (1, 1, 2)
REJECT_PROTOCOL_VERSION = (1, 2, 2)
REJECT_LOCAL_LIMIT = (2, 3, 2)

# A-ABORT: (source, reason) (PS3.8 9.3.8)
ABORT_BY_USER = (0, 0)
ABORT_UNRECOGNIZED_PDU = (2, 1)
ABORT_UNEXPECTED_PDU = (2, 2)
ABORT_INVALID_PARAMETER = (2, 6)

# UIDs (PS3.6 Annex A). In PDUs they are bytes without padding.
APPLICATION_CONTEXT_NAME = b"1.2.840.10008.3.1.1.1"
VERIFICATION = b"1.2.840.10008.1.1"
IMPLICIT_LITTLE = b"1.2.840.10008.1.2"
EXPLICIT_LITTLE = b"1.2.840.10008.1.2.1"
EXPLICIT_BIG = b"1.2.840.10008.1.2.2"

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
UID_ELEMENTS = (0x0002, 0x0003, 0x1000, 0x1001)

# Command Field (PS3.7 E.1)
C_ECHO_RQ = 0x0030
C_ECHO_RSP = 0x8030
NO_DATA_SET = 0x0101          # Command Data Set Type (PS3.7 9.3.5)

# Status (PS3.7 9.1.5.1.4, Annex C)
SUCCESS = 0x0000
SOP_CLASS_NOT_SUPPORTED = 0x0122
