"""What a training job fails of: the customer's data and settings, or the algorithm itself."""


class CustomerError(Exception):
    """The job can't be done as it was asked for; the message names what to change.

    It becomes the job's FailureReason: ``ClientError: <message>`` (contract B4, G3).
    """
