import os

print("The secret key is:", os.getenv("SECRET_PROVISION_SECRET_STRING"), flush=True)
