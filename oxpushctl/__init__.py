"""Mail push from the mail server to the phone.

Listeners hear mail events, the engine turns each into a notification, finds who subscribed, has a message written
for each, hands it to a transport, and acts on the verdict; an operator sees and steers it through commands.
"""

__version__ = "0.1.0"
