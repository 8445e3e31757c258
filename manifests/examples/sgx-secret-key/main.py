import os

key = os.getenv("SECRET_KEY") or os.getenv("SECRET_PROVISION_SECRET_STRING")
print("The secret key is:", key, flush=True)
